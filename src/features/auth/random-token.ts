import { createHash, randomBytes } from 'node:crypto'

/** A new token of 256 random bits after `prefix`, in base64url. */
export function randomToken(prefix: string): string {
  return prefix + randomBytes(32).toString('base64url')
}

/** What is kept of a token. It is random, so it needs neither salt nor a slow hash. */
export function tokenHash(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}
