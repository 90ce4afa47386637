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

/** What the framework's own errors mean to a caller, where its words are not meant for one. */
const frameworkDetails: Record<string, string> = {
  FST_ERR_CTP_INVALID_JSON_BODY: 'The body is not valid JSON.',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'The Content-Type is not a media type; that of JSON is application/json.',
  FST_ERR_CTP_BODY_TOO_LARGE: 'The body is larger than this address takes.',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'The body is not as long as Content-Length says.',
  FST_ERR_BAD_URL: 'The path is not a valid URL path.',
}

/** Renders whatever was thrown as problem details (RFC 9457); only what nobody expected is a 500, and logged. */
export function errorHandler(log: Logger) {
  return (error: FastifyError | DomainError | Error, request: FastifyRequest, reply: FastifyReply) => {
    const problem = toProblem(error, request.url)
    if (error instanceof DomainError) reply.headers(error.headers)
    if (problem.status >= 500) logFailure(log, error, request, problem.status)
    return reply.code(problem.status).type(PROBLEM_JSON).send(JSON.stringify(problem))
  }
}

/** The problem details of an error; `url` is the request's, of which the path is told. */
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
      ? 'Something went wrong here; the log has the details.'
      : (frameworkDetails[(error as FastifyError).code] ?? error.message)
  const title = statusTitle(status) ?? STATUS_CODES[status] ?? 'Error'
  return { type: 'about:blank', title, status, detail, instance }
}

function pathOf(url: string): string {
  return url.split('?', 1)[0]!.slice(0, 1000)
}

function logFailure(log: Logger, error: Error, request: FastifyRequest, status: number): void {
  // Without the query: tickets and setup tokens come in it.
  const context = { reqId: request.id, method: request.method, path: pathOf(request.url) }
  // An absent database or upstream has its own line where it is noticed; here it is one of many requests.
  if (status === 500) log.error({ ...context, err: error }, 'request failed')
  else log.debug({ ...context, err: error }, error.message)
}
