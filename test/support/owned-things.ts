import { randomUUID } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { AccessTokens } from '../../src/features/auth/access-token.ts'
import type { TestApp } from './app.ts'

export interface User {
  id: number
  username: string
}

/** Everything that belongs to a user says so, to be found in answers that should not have it. */
export const mark = (owner: User | null) => `of-${owner?.username ?? 'nobody'}`

let codes = 0
/** AAA, AAB and so on, each once: codes of currencies that there are not yet. */
export function freshCode(): string {
  const number = codes++
  return [676, 26, 1].map((of) => String.fromCharCode(65 + (Math.floor(number / of) % 26))).join('')
}

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

/** Attaches a file to a task, as the housekeeping would find it. */
async function attachTo(app: TestApp, task: string, owner: User | null): Promise<string> {
  const [row] = await app.database.rows<{ id: number; key: string }>(
    `INSERT INTO attachments (task_id, user_id, name, content_type, size, sha256, attached)
      VALUES ($1, $2, $3, 'text/plain', $4, sha256($5), true) RETURNING id, storage_key AS key`,
    [task, owner?.id, mark(owner), mark(owner).length, mark(owner)],
  )
  const folder = join(app.dataDir, 'attachments', row!.key.slice(0, 2))
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, row!.key), mark(owner))
  return String(row!.id)
}

/**
 * Makes a thing that `route` is about, for `owner`; returns its id, and after a blank that of what is in it. Where it is about users it is another user,
 * named after the owner.
 */
export async function makeThing(app: TestApp, route: string, owner: User | null): Promise<string> {
  const insert = async (text: string, values: unknown[]) =>
    String((await app.database.rows<{ id: number }>(`${text} RETURNING id`, values))[0]!.id)
  if (route.includes('/tasks/')) {
    const deleted = route.endsWith('/restore') ? 'now()' : 'NULL'
    const job = { '/retry': 'failed', '/cancel': 'queued' }[/\/\w+$/.exec(route)?.[0] ?? '']
    const text = `INSERT INTO tasks (title, user_id, job, deleted_at) VALUES ($1, $2, $3, ${deleted})`
    const task = await insert(text, [
      mark(owner),
      owner?.id,
      job && {
        type: 'noop',
        input: {},
        state: job,
        attempts: 0,
        max_attempts: 1,
        runs: 0,
        error: mark(owner),
      },
    ])
    return route.endsWith('/:aid') ? `${task} ${await attachTo(app, task, owner)}` : task
  }
  if (route.includes('/webhooks/')) {
    // No event is of no type, and with that secret nothing is sent. Its delivery has the same id, out of the way.
    return insert(
      `WITH w AS (
        INSERT INTO webhooks (id, user_id, url, types, secret) OVERRIDING SYSTEM VALUE
        SELECT 1000000 + nextval(pg_get_serial_sequence('webhooks', 'id')), $1, $2, '{}', '' RETURNING *
      )
      INSERT INTO webhook_deliveries (id, webhook_id, event_id, event_user_id, type, body, state)
      OVERRIDING SYSTEM VALUE SELECT id, id, '1', user_id, 'task_deleted', '{}', 'failed' FROM w`,
      [owner?.id, `https://${mark(owner)}.invalid/`],
    )
  }
  if (route.startsWith('/currencies/'))
    return insert(
      "INSERT INTO currencies (code, rate, nominal, source, rated_at) VALUES ($1, 1, 1, 'manual', now())",
      [freshCode()],
    )
  if (route.startsWith('/calendar-feeds/'))
    return insert('INSERT INTO calendar_feeds (user_id, name, token_hash) VALUES ($1, $2, $3)', [
      owner!.id,
      mark(owner),
      Buffer.from(randomUUID()),
    ])
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
