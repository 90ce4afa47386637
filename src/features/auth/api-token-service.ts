import type { Actor, Scope, UserActor } from '../../core/actor.ts'
import { authorize } from '../../core/authorization.ts'
import { DomainError, validationError } from '../../core/errors.ts'
import type { Database } from '../../platform/database/database.ts'
import { type ApiToken, deleteApiToken, insertApiToken, listApiTokens } from './api-token-store.ts'
import { randomToken, tokenHash } from './random-token.ts'
import type { Revocations } from './revocations.ts'
import { API_TOKEN_PREFIX, allowedScopes } from './token-authenticator.ts'

export interface NewApiToken {
  name: string
  scopes: Scope[]
  /** null: it does not expire. */
  expiresInDays: number | null
}

export interface ApiTokenService {
  create(actor: Actor, token: NewApiToken): Promise<ApiToken & { token: string }>
  list(actor: Actor): Promise<ApiToken[]>
  remove(actor: Actor, id: number): Promise<void>
}

export function createApiTokenService(
  db: Database,
  revocations: Pick<Revocations, 'check'>,
): ApiTokenService {
  return {
    async create(actor, token) {
      authorize(actor, 'account.change')
      const { id, role } = actor as UserActor
      if (allowedScopes(role, token.scopes).length < token.scopes.length) {
        throw validationError([{ path: 'body.scopes', message: 'may have "admin" for admins only' }])
      }
      return issueApiToken(db, id, token)
    },
    async list(actor) {
      authorize(actor, 'account.read')
      return listApiTokens(db, (actor as UserActor).id)
    },
    async remove(actor, id) {
      authorize(actor, 'account.change')
      const userId = (actor as UserActor).id
      if (!(await deleteApiToken(db, userId, id)))
        throw new DomainError('not-found', 'You have no token with this id.')
      await revocations.check()
    },
  }
}

/** Creates a token for a user. The token can be read only from the returned value. */
export async function issueApiToken(
  db: Database,
  userId: number,
  { name, scopes, expiresInDays }: NewApiToken,
): Promise<ApiToken & { token: string }> {
  const token = randomToken(API_TOKEN_PREFIX)
  const made = await db.transaction((transaction) =>
    insertApiToken(transaction, { userId, name, hash: tokenHash(token), scopes, expiresInDays }),
  )
  if (!made) throw new DomainError('conflict', 'A user can have 100 tokens; delete one first.')
  return { ...made, token }
}
