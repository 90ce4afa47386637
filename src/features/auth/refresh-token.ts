import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'

/** The content of a refresh token: its session, and its number within that session. */
export interface RefreshClaim {
  /** A UUID in lower case. */
  sessionId: string
  /** 0 for the token of the login, incremented by each refresh; below 2^32. */
  generation: number
}

export interface RefreshTokens {
  /** Returns the token of a claim, made with the first key. The same claim gives the same token. */
  issue(claim: RefreshClaim): string
  /** Returns the claim of a token; undefined if none of the keys made it. Compares in constant time. */
  read(token: string): RefreshClaim | undefined
}

const PREFIX = 'twr_'
const UUID = /^[\da-f]{8}-([\da-f]{4}-){3}[\da-f]{12}$/
const UUID_BYTES = 16
const CLAIM_BYTES = 20

/**
 * Creates and reads refresh tokens. The first of `keys` signs. A token is
 * `twr_` and, in base64url, 16 bytes of session, 4 bytes of generation and their HMAC-SHA256 under a
 * key derived by HKDF (RFC 5869). It is derived from its claim rather than drawn and stored, so that
 * two tabs that refresh at once get the same successor.
 */
export function createRefreshTokens(keys: readonly string[]): RefreshTokens {
  const derived = keys.map((key) => Buffer.from(hkdfSync('sha256', key, '', 'taskwire refresh token', 32)))
  const [first] = derived
  if (!first) throw new Error('refresh tokens need a key')
  return {
    issue: ({ sessionId, generation }) => sealed(packed(sessionId, generation), first),
    read(token) {
      if (!token.startsWith(PREFIX)) return
      const claim = Buffer.from(token.slice(PREFIX.length), 'base64url').subarray(0, CLAIM_BYTES)
      // Whole tokens are compared: the decoder skips other characters, and the last character has unused bits.
      if (!derived.some((key) => isSame(token, sealed(claim, key)))) return
      return { sessionId: uuidText(claim), generation: claim.readUInt32BE(UUID_BYTES) }
    },
  }
}

function packed(sessionId: string, generation: number): Buffer {
  if (!UUID.test(sessionId)) throw new Error(`a session id is a UUID in lower case, not "${sessionId}"`)
  const claim = Buffer.alloc(CLAIM_BYTES)
  claim.write(sessionId.replaceAll('-', ''), 'hex')
  claim.writeUInt32BE(generation, UUID_BYTES)
  return claim
}

function sealed(claim: Buffer, key: Buffer): string {
  const tag = createHmac('sha256', key).update(claim).digest()
  return PREFIX + Buffer.concat([claim, tag]).toString('base64url')
}

function isSame(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)]
  return left.length === right.length && timingSafeEqual(left, right)
}

function uuidText(bytes: Buffer): string {
  const hex = bytes.toString('hex', 0, UUID_BYTES)
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
