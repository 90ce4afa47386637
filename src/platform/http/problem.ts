import type { JSONSchema } from 'json-schema-to-ts'
import { statusTitle } from '../../core/errors.ts'

/** Problem details (RFC 9457), the body of every error response. */
const ProblemSchema: JSONSchema = {
  type: 'object',
  required: ['type', 'title', 'status', 'detail', 'instance'],
  properties: {
    type: { type: 'string', examples: ['about:blank'] },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    instance: { type: 'string', description: 'Path of the request' },
    errors: {
      type: 'array',
      items: {
        type: 'object',
        required: ['path', 'message'],
        properties: { path: { type: 'string' }, message: { type: 'string' } },
      },
      description: 'All errors of the request, for 422',
    },
  },
  title: 'Problem',
}

const descriptions: Record<number, string> = {
  400: 'The body is not JSON',
  401: 'The token is missing, invalid, expired or revoked',
  403: 'The caller is not allowed to do this',
  404: 'The resource does not exist',
  409: 'The request conflicts with the present state',
  410: 'The requested data is no longer retained',
  412: 'If-Match does not name the current version',
  413: 'The body is too large',
  415: 'The media type of the body is not supported',
  416: 'The range is outside the content',
  422: 'The request is well-formed but invalid; `errors` lists what is wrong',
  429: 'Too many requests; `Retry-After` says when to retry',
  426: 'This URL accepts WebSockets only',
  502: 'An upstream service failed',
  503: 'The database or another required service is unavailable; retry shortly',
  507: 'The storage of the server is full',
}

/** Returns the documentation of error responses for a route's `response`. It always includes 401, 403, 429 and 503. */
export function problems(...statuses: number[]): Record<number, object> {
  const all = [...new Set([401, 403, ...statuses, 429, 503])].sort()
  return Object.fromEntries(all.map((status) => [status, problem(status)]))
}

function problem(status: number): object {
  const example = {
    type: 'about:blank',
    title: statusTitle(status),
    status,
    detail: `${descriptions[status]}.`,
    instance: '/tasks/1',
    ...(status === 422 && { errors: [{ path: 'body.title', message: 'must not be empty' }] }),
  }
  return {
    description: descriptions[status],
    content: { 'application/problem+json': { schema: ProblemSchema, example } },
  }
}
