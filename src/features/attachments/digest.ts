import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { DomainError } from '../../core/errors.ts'

/** Active algorithms (RFC 9530, section 7.2), with their names in Node. */
const algorithms: Record<string, string> = { 'sha-256': 'sha256', 'sha-512': 'sha512' }

/** One member of the dictionary: an algorithm, and bytes in base64 between colons (RFC 8941, section 3.3.5). */
const MEMBER = /^[ \t]*([a-z][a-z0-9-]*)=:([A-Za-z0-9+/]*={0,2}):[ \t]*$/

export interface BodyDigest {
  update(chunk: Buffer): void
  /** Throws `bad-request` if the body does not match the digest of the request. */
  verify(): void
}

/**
 * Returns the digest of the body that a request declares, in Content-Digest or Repr-Digest (RFC 9530), which are the
 * same without a content coding; undefined if there is none. Unknown algorithms are ignored, as the RFC requires.
 * Throws `bad-request` if a header is malformed.
 */
export function promisedDigest(headers: IncomingHttpHeaders): BodyDigest | undefined {
  const promised = ['content-digest', 'repr-digest'].flatMap((name) => digestsIn(name, headers[name]))
  if (promised.length === 0) return undefined
  return {
    update(chunk) {
      for (const { hash } of promised) hash.update(chunk)
    },
    verify() {
      if (promised.every(({ hash, digest }) => hash.digest().equals(digest))) return
      throw new DomainError('bad-request', 'The body does not match the digest in the request.')
    },
  }
}

function digestsIn(name: string, header: string | string[] | undefined) {
  if (header === undefined) return []
  return String(header)
    .split(',')
    .flatMap((item) => {
      const [, key, value] = MEMBER.exec(item) ?? []
      if (key === undefined) {
        throw new DomainError('bad-request', `The header ${name} must be such as sha-256=:<base64>:`)
      }
      const algorithm = algorithms[key]
      return algorithm ? [{ hash: createHash(algorithm), digest: Buffer.from(value!, 'base64') }] : []
    })
}

/** Returns the header with the SHA-256 of the whole content, also for a partial response. */
export function reprDigest(sha256: string): string {
  return `sha-256=:${Buffer.from(sha256, 'hex').toString('base64')}:`
}
