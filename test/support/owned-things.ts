import { randomUUID } from 'node:crypto'
import type { AccessTokens } from '../../src/features/auth/access-token.ts'
import type { TestApp } from './app.ts'

export interface User {
  id: number
  username: string
}

/** Everything that belongs to a user says so, to be found in answers that should not have it. */
export const mark = (owner: User | null) => `of-${owner?.username ?? 'nobody'}`

/** Begins a session and returns its access token. */
export async function openSession(app: TestApp, user: User, tokens: AccessTokens): Promise<string> {
  const sessionId = await insertSession(app, user)
  const [row] = await app.database.rows<{ epoch: number }>(
    'SELECT token_epoch AS epoch FROM users WHERE id = $1',
    [user.id],
  )
  return tokens.issue({ userId: user.id, sessionId, epoch: row!.epoch })
}

async function insertSession(app: TestApp, user: User): Promise<string> {
  const id = randomUUID()
  await app.database.rows(
    `INSERT INTO sessions (id, user_id, user_agent, address, created_at, last_used_at, rotated_at, expires_at)
      VALUES ($1, $2, $3, '', now(), now(), now(), now() + interval '1 hour')`,
    [id, user.id, mark(user)],
  )
  return id
}

/**
 * Makes a thing that `route` is about, for `owner`; returns its id. Where it is about users it is another user,
 * named after the owner.
 */
export async function makeThing(app: TestApp, route: string, owner: User | null): Promise<string> {
  const insert = async (text: string, values: unknown[]) =>
    String((await app.database.rows<{ id: number }>(`${text} RETURNING id`, values))[0]!.id)
  if (route.includes('/tasks/')) {
    const deleted = route.endsWith('/restore') ? 'now()' : 'NULL'
    return insert(`INSERT INTO tasks (title, user_id, deleted_at) VALUES ($1, $2, ${deleted})`, [
      mark(owner),
      owner?.id,
    ])
  }
  if (route.includes('/sessions/')) return insertSession(app, owner!)
  if (route.includes('/tokens/')) {
    const hash = Buffer.from(randomUUID())
    return insert(
      "INSERT INTO api_tokens (user_id, name, token_hash, scopes) VALUES ($1, $2, $3, '{read}')",
      [owner!.id, mark(owner), hash],
    )
  }
  const name = `${mark(owner)}-${randomUUID().slice(0, 8)}`
  return insert("INSERT INTO users (username, username_key, password_hash) VALUES ($1, $1, '')", [name])
}
