import type { JSONSchema } from 'json-schema-to-ts'
import { statusTitle } from '../../core/errors.ts'

/** Problem details (RFC 9457), the body of every answer that is not a success. */
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
      description: 'Each mistake of the request, for 422',
    },
  },
  title: 'Problem',
}

const descriptions: Record<number, string> = {
  400: 'The body is not JSON',
  401: 'A token is needed, or it is not valid',
  403: 'Not allowed',
  404: 'There is no such thing',
  409: 'In conflict with what is there',
  410: 'What was asked for is no longer kept',
  412: 'If-Match does not name the present version',
  413: 'The body is too large',
  415: 'The body is not of the media type that is taken here',
  416: 'Nothing of it is in that range',
  422: 'The request is well-formed, but something in it is wrong',
  429: 'Too many requests; `Retry-After` says when to come again',
  426: 'This address speaks another protocol',
  502: 'The upstream failed',
  503: 'The database, or another service that is needed, is not available; try again shortly',
  507: 'There is no room on the server',
}

/** The documentation of problem responses, for a route's `response`; 401, 403, 429 and 503 are always among them. */
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
