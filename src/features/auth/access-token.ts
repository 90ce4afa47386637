import { createHash, hkdfSync, randomUUID } from 'node:crypto'
import type { CryptoKey, JWTPayload } from 'jose'

export interface AccessClaims {
  userId: number
  sessionId: string
  /** `users.token_epoch` at the time it was issued. */
  epoch: number
}

export interface AccessTokens {
  issue(claims: AccessClaims): Promise<string>
  /** Returns the claims and the expiry (epoch seconds); undefined if the token is not a valid access token. */
  verify(token: string): Promise<(AccessClaims & { expiresAt: number }) | undefined>
  readonly lifetimeSeconds: number
}

/** Signs and verifies JSON Web Tokens of one kind. Tokens of another kind are not accepted. */
export interface TokenSigner {
  sign(claims: JWTPayload): Promise<string>
  /** Returns the claims, with `iat` and `exp` in epoch seconds; undefined if the token is not a valid one of this kind. */
  verify(token: string): Promise<(JWTPayload & { iat: number; exp: number }) | undefined>
}

const ISSUER = 'taskwire'
const LONGEST = 4096
/** Allowed difference between the clocks of two servers. */
const SKEW_SECONDS = 5
const ALGORITHM = 'HS256'
const HMAC = { name: 'HMAC', hash: 'SHA-256' }
const MAX_ID = 2_147_483_647

/**
 * A JWT: three parts in base64url. The last character of 32 bytes carries only 4 bits. Decoders ignore the other
 * bits and white space, so several texts would be accepted as the same token.
 */
const SHAPE = /^[\w-]+\.[\w-]+\.[\w-]{42}[AEIMQUYcgkosw048]$/

/** Creates access tokens: JWTs by RFC 9068, signed with the first of `keys` and accepted with any of them. */
export function createAccessTokens(options: {
  keys: readonly string[]
  lifetimeSeconds: number
}): AccessTokens {
  const { keys, lifetimeSeconds } = options
  const signer = createTokenSigner({ keys, purpose: 'access token', typ: 'at+jwt', lifetimeSeconds })
  return {
    lifetimeSeconds,
    issue: ({ userId, sessionId, epoch }) => signer.sign({ sub: String(userId), sid: sessionId, epoch }),
    async verify(token) {
      const claims = await signer.verify(token)
      if (!claims) return undefined
      const { sub, sid, epoch, exp } = claims
      if (typeof sub !== 'string' || !/^[1-9]\d{0,9}$/.test(sub) || Number(sub) > MAX_ID) return undefined
      if (typeof sid !== 'string' || sid === '' || !isCount(epoch)) return undefined
      return { userId: Number(sub), sessionId: sid, epoch, expiresAt: exp }
    },
  }
}

/** Creates tokens of one kind. `purpose` is part of the key and `typ` of the header, so that kinds cannot be confused. */
export function createTokenSigner(options: {
  keys: readonly string[]
  purpose: string
  typ: string
  lifetimeSeconds: number
}): TokenSigner {
  const { purpose, typ, lifetimeSeconds } = options
  const derived = options.keys.map((secret) => deriveKey(secret, purpose))
  const [first] = derived
  if (!first) throw new Error('tokens need a key')

  let loading: ReturnType<typeof load> | undefined
  const loaded = () => {
    loading ??= load(derived)
    return loading
  }

  return {
    async sign(claims) {
      const { SignJWT, keys } = await loaded()
      const now = Math.floor(Date.now() / 1000)
      const own = { iss: ISSUER, aud: ISSUER, iat: now, exp: now + lifetimeSeconds, jti: randomUUID() }
      return await new SignJWT({ ...claims, ...own })
        .setProtectedHeader({ alg: ALGORITHM, typ, kid: first.id })
        .sign(keys.get(first.id)!)
    },
    async verify(token) {
      if (token.length > LONGEST || !SHAPE.test(token)) return undefined
      const { jwtVerify, JOSEError, JWKSNoMatchingKey, keys } = await loaded()
      try {
        const { payload } = await jwtVerify(
          token,
          ({ kid }) => {
            const key = keys.get(kid ?? '')
            if (!key) throw new JWKSNoMatchingKey()
            return key
          },
          { algorithms: [ALGORITHM], typ, issuer: ISSUER, audience: ISSUER },
        )
        const { aud, jti, iat, exp } = payload
        if (aud !== ISSUER || typeof jti !== 'string' || !isCount(iat) || !isCount(exp)) return undefined
        return iat <= Date.now() / 1000 + SKEW_SECONDS ? { ...payload, iat, exp } : undefined
      } catch (error) {
        if (error instanceof JOSEError) return undefined
        throw error
      }
    },
  }
}

/** Derives a key (RFC 5869). Its name is public and reveals nothing about the key. */
function deriveKey(secret: string, purpose: string): { id: string; bytes: Uint8Array<ArrayBuffer> } {
  const bytes = new Uint8Array(hkdfSync('sha256', secret, '', `taskwire ${purpose}`, 32))
  return { id: createHash('sha256').update(bytes).digest('hex').slice(0, 8), bytes }
}

/** jose is loaded with the first token, and only in part: all of it takes 9 MB, these modules 6 MB. */
async function load(derived: ReturnType<typeof deriveKey>[]) {
  const [{ SignJWT }, { jwtVerify }, { JOSEError, JWKSNoMatchingKey }] = await Promise.all([
    import('jose/jwt/sign'),
    import('jose/jwt/verify'),
    import('jose/errors'),
  ])
  const keys = new Map<string, CryptoKey>()
  for (const { id, bytes } of derived) {
    keys.set(id, await crypto.subtle.importKey('raw', bytes, HMAC, false, ['sign', 'verify']))
  }
  return { SignJWT, jwtVerify, JOSEError, JWKSNoMatchingKey, keys }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
