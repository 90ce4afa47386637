import { isUtf8 } from 'node:buffer'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { DomainError, validationError } from '../../core/errors.ts'

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
 * Bodies are JSON in UTF-8 only (RFC 8259, section 8.1), unless a scope adds a parser of its own. An empty body is
 * no body, of whatever type: routes that need one say so in their schema.
 */
export function parseJsonBodies(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, bytes, done) => {
    if (bytes.length === 0) done(null, undefined)
    else if (isEncoded(request)) done(unsupported('The body must not be compressed.'))
    // Decoded all the same, it would lose letters that nobody gets back.
    else if (!isUtf8(bytes as Buffer)) done(new DomainError('bad-request', 'The body is not UTF-8.'))
    else {
      const text = bytes.toString('utf8')
      parse(request, text, (error, value) =>
        done(error && isJson(text) ? validationError([forbiddenField]) : error, value),
      )
    }
  })
  refuseOtherBodies(app)
}

/** Of types that no other parser takes; an empty one is none. */
function refuseOtherBodies(app: FastifyInstance): void {
  app.addContentTypeParser('*', ({ is404, headers }, payload, done) => {
    const refuse = () =>
      done(
        unsupported('The body is of a media type that this address does not take; JSON is application/json.'),
      )
    // Where nothing is, that is what is wrong.
    if (is404 || headers['content-length'] === '0') done(null, undefined)
    else if (headers['content-length'] !== undefined) refuse()
    else {
      // Without a length, it is empty if it ends before its first byte.
      const nothing = () => done(null, undefined)
      payload.once('end', nothing).once('data', () => {
        payload.removeListener('end', nothing)
        refuse()
      })
    }
  })
}

function isEncoded({ headers }: FastifyRequest): boolean {
  return (headers['content-encoding'] ?? 'identity').toLowerCase() !== 'identity'
}

function unsupported(detail: string): DomainError {
  return new DomainError('unsupported-media-type', detail)
}
