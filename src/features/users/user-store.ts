import type { Role } from '../../core/actor.ts'
import type { Queryable, Transaction } from '../../platform/database/database.ts'
import type { User, UserRecord } from './user.ts'
import { canonicalUsername, usernameKey } from './username.ts'

const PUBLIC = 'id, username, role, disabled, created_at'
const RECORD = `${PUBLIC}, password_hash, token_epoch`

/** Inserts a user; undefined if the name is taken. */
export async function insertUser(
  db: Queryable,
  user: { username: string; passwordHash: string; role: Role },
): Promise<User | undefined> {
  const { rows } = await db.query<User & object>({
    name: 'user-insert',
    text: `INSERT INTO users (username, username_key, password_hash, role) VALUES ($1, $2, $3, $4)
      ON CONFLICT (username_key) DO NOTHING RETURNING ${PUBLIC}`,
    values: [canonicalUsername(user.username), usernameKey(user.username), user.passwordHash, user.role],
  })
  return rows[0]
}

export async function findUserByName(db: Queryable, username: string): Promise<UserRecord | undefined> {
  const { rows } = await db.query<UserRecord & object>({
    name: 'user-by-name',
    text: `SELECT ${RECORD} FROM users WHERE username_key = $1`,
    values: [usernameKey(username)],
  })
  return rows[0]
}

export async function findUser(db: Queryable, id: number): Promise<UserRecord | undefined> {
  const { rows } = await db.query<UserRecord & object>({
    name: 'user-by-id',
    text: `SELECT ${RECORD} FROM users WHERE id = $1`,
    values: [id],
  })
  return rows[0]
}

export async function listUsers(
  db: Queryable,
  page: { skip: number; limit: number },
): Promise<{ users: User[]; total: number }> {
  const { rows } = await db.query<User & object>({
    name: 'user-list',
    text: `SELECT ${PUBLIC} FROM users ORDER BY id LIMIT $1 OFFSET $2`,
    values: [page.limit, page.skip],
  })
  const counted = await db.query<{ total: number }>({ text: 'SELECT count(*) AS total FROM users' })
  return { users: rows, total: counted.rows[0]!.total }
}

export async function hasAdmin(db: Queryable): Promise<boolean> {
  const { rows } = await db.query({ text: "SELECT FROM users WHERE role = 'admin' AND NOT disabled LIMIT 1" })
  return rows.length > 0
}

/** Returns the ids of the enabled admins, and locks them until the transaction ends. */
export async function lockAdmins(transaction: Transaction): Promise<number[]> {
  // Row locks alone deadlock with a change that adds an admin, who is in some of the lists and not in others.
  await transaction.query({ text: "SELECT pg_advisory_xact_lock(hashtext('taskwire admins'))" })
  const { rows } = await transaction.query<{ id: number }>({
    // During an upgrade, the previous release takes only these locks.
    text: "SELECT id FROM users WHERE role = 'admin' AND NOT disabled ORDER BY id FOR UPDATE",
  })
  return rows.map(({ id }) => id)
}

/** Changes to a user; an undefined field stays as it is. */
export interface UserChanges {
  role?: Role | undefined
  disabled?: boolean | undefined
  passwordHash?: string | undefined
  /** The current password hash. If the user has another one, nothing is changed. */
  insteadOf?: string | undefined
}

/**
 * Changes a user; undefined if the user does not exist. Any change invalidates the access tokens of the user: they
 * belong to an earlier epoch then, and the revocation written with it ends them on other processes.
 */
export async function updateUser(
  db: Queryable,
  id: number,
  changes: UserChanges,
): Promise<{ user: User; changed: boolean } | undefined> {
  const { rows } = await db.query<User & { changed: boolean }>({
    name: 'user-update',
    text: `
      WITH before AS (
        SELECT * FROM users WHERE id = $1 FOR UPDATE
      ), u AS (
        UPDATE users SET role = coalesce($2, before.role), disabled = coalesce($3, before.disabled),
          password_hash = coalesce($4, before.password_hash),
          token_epoch = before.token_epoch + 1, updated_at = clock_timestamp()
        FROM before
        WHERE users.id = before.id AND before.password_hash = coalesce($5, before.password_hash) AND (coalesce($2, before.role), coalesce($3, before.disabled),
          coalesce($4, before.password_hash)) IS DISTINCT FROM (before.role, before.disabled, before.password_hash)
        RETURNING users.*
      ), revoked AS (
        INSERT INTO revocations (user_id, epoch) SELECT id, token_epoch FROM u
      )
      SELECT ${PUBLIC}, true AS changed FROM u
      UNION ALL
      SELECT ${PUBLIC}, false FROM before WHERE NOT EXISTS (SELECT FROM u)`,
    values: [
      id,
      changes.role ?? null,
      changes.disabled ?? null,
      changes.passwordHash ?? null,
      changes.insteadOf ?? null,
    ],
  })
  if (!rows[0]) return undefined
  const { changed, ...user } = rows[0]
  return { user, changed }
}
