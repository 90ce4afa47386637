import { createHash, randomBytes } from 'node:crypto'

/** Returns a new token: `prefix` and 256 random bits in base64url. */
export function randomToken(prefix: string): string {
  return prefix + randomBytes(32).toString('base64url')
}

/** Returns the hash of a token for storage. The token is random, so it needs neither salt nor a slow hash. */
export function tokenHash(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}
