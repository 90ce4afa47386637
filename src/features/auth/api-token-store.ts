import type { Role, Scope } from '../../core/actor.ts'
import type { Queryable, Transaction } from '../../platform/database/database.ts'

/** An API token as its owner sees it. The token itself is shown once, when it is created. */
export interface ApiToken {
  id: number
  name: string
  scopes: Scope[]
  created_at: string
  last_used_at: string | null
  expires_at: string | null
}

const PUBLIC = 'id, name, scopes, created_at, last_used_at, expires_at'
const MAX_PER_USER = 100

/** Inserts a token; undefined if the user has the maximum number. Holds a lock on the user until the transaction ends. */
export async function insertApiToken(
  transaction: Transaction,
  token: { userId: number; name: string; hash: Buffer; scopes: Scope[]; expiresInDays: number | null },
): Promise<ApiToken | undefined> {
  // A separate statement: the next one then counts tokens that were created while this one waited for the lock.
  await transaction.query({
    text: 'SELECT FROM users WHERE id = $1 FOR NO KEY UPDATE',
    values: [token.userId],
  })
  const { rows } = await transaction.query<ApiToken & object>({
    name: 'api-token-insert',
    text: `INSERT INTO api_tokens (user_id, name, token_hash, scopes, expires_at)
      SELECT $1, $2, $3, $4, now() + make_interval(days => $5)
      WHERE (SELECT count(*) FROM api_tokens WHERE user_id = $1) < ${MAX_PER_USER}
      RETURNING ${PUBLIC}`,
    values: [token.userId, token.name, token.hash, token.scopes, token.expiresInDays],
  })
  return rows[0]
}

export async function listApiTokens(db: Queryable, userId: number): Promise<ApiToken[]> {
  const { rows } = await db.query<ApiToken & object>({
    name: 'api-token-list',
    text: `SELECT ${PUBLIC} FROM api_tokens WHERE user_id = $1 ORDER BY id`,
    values: [userId],
  })
  return rows
}

/** Deletes a token and revokes it on every process. Returns false if the user has no such token. */
export async function deleteApiToken(db: Queryable, userId: number, id: number): Promise<boolean> {
  const { rows } = await db.query({
    name: 'api-token-delete',
    text: `
      WITH gone AS (
        DELETE FROM api_tokens WHERE id = $2 AND user_id = $1 RETURNING id, user_id
      ), revoked AS (
        INSERT INTO revocations (user_id, token_id) SELECT user_id, id FROM gone
      )
      SELECT id FROM gone`,
    values: [userId, id],
  })
  return rows.length > 0
}

export interface ApiTokenBearer {
  token_id: number
  user_id: number
  username: string
  role: Role
  epoch: number
  scopes: Scope[]
  expires_at: string | null
}

/** Returns the user of a valid token, and records the time of use. */
export async function useApiToken(db: Queryable, hash: Buffer): Promise<ApiTokenBearer | undefined> {
  const { rows } = await db.query<ApiTokenBearer & object>({
    name: 'api-token-use',
    text: `
      UPDATE api_tokens t SET last_used_at = clock_timestamp() FROM users u
      WHERE t.token_hash = $1 AND u.id = t.user_id AND NOT u.disabled
        AND (t.expires_at IS NULL OR t.expires_at > clock_timestamp())
      RETURNING t.id AS token_id, u.id AS user_id, u.username, u.role, u.token_epoch AS epoch, t.scopes, t.expires_at`,
    values: [hash],
  })
  return rows[0]
}
