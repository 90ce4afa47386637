import type { FastifyInstance } from 'fastify'
import { validationError } from '../core/errors.ts'

const forbiddenField = { path: 'body', message: 'must not have __proto__ or constructor.prototype in it' }

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/**
 * Bodies are JSON only, unless a scope adds a parser of its own. An empty body is no body: routes that
 * need one say so in their schema.
 */
export function parseJsonBodies(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, undefined)
    else {
      parse(request, body as string, (error, value) =>
        done(error && isJson(body as string) ? validationError([forbiddenField]) : error, value),
      )
    }
  })
}
