import type { FastifyInstance } from 'fastify'
import { DomainError, validationError } from '../../core/errors.ts'

/** Lets the routes of this scope accept a form (application/x-www-form-urlencoded) as body. */
export function parseFormBodies(app: FastifyInstance): void {
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string' },
    (_request, body, done) => {
      try {
        done(null, parseForm(body as string))
      } catch (error) {
        done(error as Error)
      }
    },
  )
}

/**
 * Returns the fields of a form. As in OAuth 2.0 (RFC 6749, section 3.2), a field without a value counts as
 * absent, and a repeated field is an error. Throws `bad-request` if the percent-encoding is broken or is not
 * UTF-8. The object has no prototype, so a field may have any name.
 */
export function parseForm(text: string): Record<string, string> {
  const fields: Record<string, string> = Object.create(null)
  for (const pair of text.split('&')) {
    const equals = pair.indexOf('=')
    if (equals === -1 || equals === pair.length - 1) continue
    const name = decoded(pair.slice(0, equals))
    if (name in fields) {
      throw validationError([{ path: `body.${name}`.slice(0, 200), message: 'must not be given twice' }])
    }
    fields[name] = decoded(pair.slice(equals + 1))
  }
  return fields
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    throw new DomainError('bad-request', 'The form contains an invalid percent-encoding.')
  }
}
