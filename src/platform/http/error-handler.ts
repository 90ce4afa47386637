import { STATUS_CODES } from 'node:http'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { DomainError, type FieldError, statusTitle } from '../../core/errors.ts'
import type { Logger } from '../logging/logger.ts'

export interface Problem {
  type: string
  title: string
  status: number
  detail: string
  instance: string
  errors?: FieldError[]
}

export const PROBLEM_JSON = 'application/problem+json; charset=utf-8'

/** Messages for errors of the framework, whose own messages are not meant for callers. */
const frameworkDetails: Record<string, string> = {
  FST_ERR_CTP_INVALID_JSON_BODY: 'The body is not valid JSON.',
  FST_ERR_CTP_INVALID_MEDIA_TYPE:
    'The Content-Type is not a valid media type. Send JSON with "Content-Type: application/json".',
  FST_ERR_CTP_BODY_TOO_LARGE: 'The body is larger than this route allows.',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'The length of the body differs from Content-Length.',
  FST_ERR_BAD_URL: 'The path is not a valid URL path.',
}

/** Renders errors as problem details (RFC 9457). An unexpected error answers 500 and is logged. */
export function errorHandler(log: Logger) {
  return (error: FastifyError | DomainError | Error, request: FastifyRequest, reply: FastifyReply) => {
    const problem = toProblem(error, request.url)
    if (error instanceof DomainError) reply.headers(error.headers)
    if (problem.status >= 500) logFailure(log, error, request, problem.status)
    return reply.code(problem.status).type(PROBLEM_JSON).send(JSON.stringify(problem))
  }
}

/** Returns the problem details of an error. They contain the path of `url`, the URL of the request. */
export function toProblem(error: FastifyError | DomainError | Error, url: string): Problem {
  const instance = pathOf(url)
  if (error instanceof DomainError) {
    const { status, title, message: detail, errors } = error
    return { type: 'about:blank', title, status, detail, instance, ...(errors && { errors }) }
  }
  const hinted = 'statusCode' in error ? Number(error.statusCode) : 500
  const status = hinted >= 400 && hinted < 500 ? hinted : 500
  const detail =
    status === 500
      ? 'Internal error. The server log has the details.'
      : (frameworkDetails[(error as FastifyError).code] ?? error.message)
  const title = statusTitle(status) ?? STATUS_CODES[status] ?? 'Error'
  return { type: 'about:blank', title, status, detail, instance }
}

function pathOf(url: string): string {
  return url.split('?', 1)[0]!.slice(0, 1000)
}

function logFailure(log: Logger, error: Error, request: FastifyRequest, status: number): void {
  // The query is not logged: it may hold a ticket or a setup token.
  const context = { reqId: request.id, method: request.method, path: pathOf(request.url) }
  // An unavailable database or upstream is logged once where it is detected, not for every request.
  if (status === 500) log.error({ ...context, err: error }, 'request failed')
  else log.debug({ ...context, err: error }, error.message)
}
