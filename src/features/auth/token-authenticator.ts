import type { Role, Scope, UserActor } from '../../core/actor.ts'
import type { Queryable } from '../../platform/database/database.ts'
import type { AccessTokens } from './access-token.ts'
import { useApiToken } from './api-token-store.ts'
import { tokenHash } from './random-token.ts'
import type { VerifiedTokens } from './verified-tokens.ts'

export const API_TOKEN_PREFIX = 'tw_'
/** Time after which an API token is read again, in milliseconds. This also updates its time of last use. */
const API_TOKEN_RECHECK_MS = 60_000

/** Authenticates bearer tokens. Methods return undefined if a token is invalid, expired or revoked. */
export interface TokenAuthenticator {
  /** Returns the user of a token that was verified recently. */
  known(token: string): UserActor | undefined
  authenticate(token: string): Promise<UserActor | undefined>
}

export function createAuthenticator(deps: {
  db: Queryable
  accessTokens: AccessTokens
  verified: VerifiedTokens
}): TokenAuthenticator {
  const { db, accessTokens, verified } = deps

  async function ofApiToken(token: string) {
    const bearer = await useApiToken(db, tokenHash(token))
    if (!bearer) return undefined
    const { user_id: id, username, role, scopes, epoch, token_id: tokenId, expires_at: expiresAt } = bearer
    const until = Math.min(
      Date.now() + API_TOKEN_RECHECK_MS,
      expiresAt === null ? Number.POSITIVE_INFINITY : Date.parse(expiresAt),
    )
    const actor: UserActor = {
      kind: 'user',
      id,
      username,
      role,
      epoch,
      scopes: allowedScopes(role, scopes),
      tokenId,
    }
    return { actor, until }
  }

  async function ofAccessToken(token: string) {
    const claims = await accessTokens.verify(token)
    if (!claims) return undefined
    const { userId: id, sessionId, epoch, expiresAt } = claims
    const { rows } = await db.query<{ username: string; role: Role }>({
      name: 'access-token-user',
      read: 'quick',
      text: `SELECT username, role FROM users WHERE id = $1 AND token_epoch = $2 AND NOT disabled
        AND NOT EXISTS (SELECT FROM revocations WHERE session_id = $3)`,
      values: [id, epoch, sessionId],
    })
    const user = rows[0]
    if (!user) return undefined
    const actor: UserActor = { kind: 'user', id, ...user, epoch, scopes: allowedScopes(user.role), sessionId }
    return { actor, until: expiresAt * 1000 }
  }

  return {
    known: (token) => verified.get(token),
    async authenticate(token) {
      const known = verified.get(token)
      if (known) return known
      const begun = verified.mark()
      const found = await (token.startsWith(API_TOKEN_PREFIX) ? ofApiToken(token) : ofAccessToken(token))
      if (found) verified.set(token, found, begun)
      return found?.actor
    },
  }
}

/** Returns those of the given scopes that the role may have. */
export function allowedScopes(role: Role, scopes: readonly Scope[] = ['read', 'write', 'admin']): Scope[] {
  return scopes.filter((scope) => scope !== 'admin' || role === 'admin')
}
