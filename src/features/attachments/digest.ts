import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { DomainError } from '../../core/errors.ts'

/** Algorithms that are in use (RFC 9530, section 7.2), by the name that Node has for them. */
const algorithms: Record<string, string> = { 'sha-256': 'sha256', 'sha-512': 'sha512' }

/** One member of the dictionary: an algorithm, and bytes in base64 between colons (RFC 8941, section 3.3.5). */
const MEMBER = /^[ \t]*([a-z][a-z0-9-]*)=:([A-Za-z0-9+/]*={0,2}):[ \t]*$/

export interface BodyDigest {
  update(chunk: Buffer): void
  /** Throws `bad-request` when what was seen is not what the request promised. */
  verify(): void
}

/**
 * What a request says its body hashes to, in Content-Digest or, where there is no content coding the same,
 * Repr-Digest (RFC 9530); undefined where it says nothing. Algorithms that are not known are left out, as the RFC
 * has it. Throws `bad-request` for what is no digest.
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
      throw new DomainError('bad-request', 'The body is not the one whose digest the request tells.')
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

/** How an answer tells the SHA-256 of what is there, whichever part of it is sent. */
export function reprDigest(sha256: string): string {
  return `sha-256=:${Buffer.from(sha256, 'hex').toString('base64')}:`
}
