import { isUtf8 } from 'node:buffer'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { DomainError, validationError } from '../../core/errors.ts'

const forbiddenField = { path: 'body', message: 'must not contain __proto__ or constructor.prototype' }

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/**
 * Accepts bodies of JSON in UTF-8 only (RFC 8259, section 8.1), unless a scope adds a parser of its own. An empty
 * body of any type counts as absent: routes that need a body require it in their schema.
 */
export function parseJsonBodies(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, bytes, done) => {
    if (bytes.length === 0) done(null, undefined)
    else if (isEncoded(request)) done(unsupported('The body must not be compressed.'))
    // Decoding would silently replace the invalid bytes.
    else if (!isUtf8(bytes as Buffer)) done(new DomainError('bad-request', 'The body is not valid UTF-8.'))
    else {
      const text = bytes.toString('utf8')
      parse(request, text, (error, value) =>
        done(error && isJson(text) ? validationError([forbiddenField]) : error, value),
      )
    }
  })
  refuseOtherBodies(app)
}

/** Rejects bodies that no other parser accepts, unless they are empty. */
function refuseOtherBodies(app: FastifyInstance): void {
  app.addContentTypeParser('*', ({ is404, headers }, payload, done) => {
    const refuse = () =>
      done(
        unsupported(
          `Unsupported Content-Type "${mediaType(headers)}". Send JSON with "Content-Type: application/json".`,
        ),
      )
    // An unknown route answers 404 whatever the body is.
    if (is404 || headers['content-length'] === '0') done(null, undefined)
    else if (headers['content-length'] !== undefined) refuse()
    else {
      // A body without Content-Length is empty if it ends before its first byte.
      const nothing = () => done(null, undefined)
      payload.once('end', nothing).once('data', () => {
        payload.removeListener('end', nothing)
        refuse()
      })
    }
  })
}

function mediaType({ 'content-type': type = '' }: FastifyRequest['headers']): string {
  return type.split(';', 1)[0]!.trim().slice(0, 100)
}

function isEncoded({ headers }: FastifyRequest): boolean {
  return (headers['content-encoding'] ?? 'identity').toLowerCase() !== 'identity'
}

function unsupported(detail: string): DomainError {
  return new DomainError('unsupported-media-type', detail)
}
