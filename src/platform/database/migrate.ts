import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { errorText, StartupError } from '../../core/errors.ts'
import type { ConnectionOptions } from './database.ts'

const FOLDER = join(import.meta.dirname, 'migrations')
const LOCK = "hashtext('taskwire migrations')"
const LOCK_POLL_MS = 100
/** First line of a migration that must not run in a transaction, such as one with CREATE INDEX CONCURRENTLY. */
const OUTSIDE_TRANSACTION = '-- taskwire: outside a transaction\n'

/** Returns the names of all migrations, in the order in which they are applied. */
export function migrationNames(folder = FOLDER): string[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.sql'))
    .map((file) => file.slice(0, -'.sql'.length))
    .sort()
}

/**
 * Applies the pending migrations of `folder` in order and returns their names. Each migration and its record are one
 * transaction, so a start that is killed or fails keeps the migrations before, and the next start continues.
 *
 * A migration whose first line is `-- taskwire: outside a transaction` is sent statement by statement and recorded
 * after the last one. A crash before that runs it again from its beginning, so each of its statements must be
 * repeatable: `DROP INDEX CONCURRENTLY IF EXISTS` before `CREATE INDEX CONCURRENTLY`, which leaves an invalid index
 * when it is interrupted. A semicolon at the end of
 * a line ends a statement, so none may contain one, as function bodies do.
 *
 * Several processes may call this at once: an advisory lock lets one work while the others wait. Throws a
 * `StartupError` if the database is unavailable, if a newer release migrated it, or if a migration fails.
 */
export async function migrate(connection: ConnectionOptions, folder = FOLDER): Promise<string[]> {
  const client = new pg.Client({ ...connection, connectionTimeoutMillis: 5_000 })
  client.on('error', () => {}) // A lost connection fails the statement on it.
  try {
    await client.connect()
    await acquireLock(client)
    return await applyPending(client, folder)
  } catch (error) {
    if (error instanceof StartupError) throw error
    const message = connection.connectionString
      ? `The database in DATABASE_URL cannot be used: ${errorText(error)}; taskwire doctor says what to do`
      : `The database cannot be used: ${errorText(error)}`
    throw new StartupError(message, { cause: error })
  } finally {
    // The end of the connection releases the lock and rolls back the transaction of a failed migration.
    await client.end().catch(() => {})
  }
}

// A waiting `pg_advisory_lock` holds a snapshot, which CREATE INDEX CONCURRENTLY of the lock's holder waits for: the two
// would deadlock. So the lock is polled.
async function acquireLock(client: pg.Client): Promise<void> {
  for (;;) {
    const { rows } = await client.query<{ got: boolean }>(`SELECT pg_try_advisory_lock(${LOCK}) AS got`)
    if (rows[0]!.got) return
    await delay(LOCK_POLL_MS)
  }
}

async function applyPending(client: pg.Client, folder: string): Promise<string[]> {
  await client.query(
    'CREATE TABLE IF NOT EXISTS schema_migrations (name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())',
  )
  const { rows } = await client.query<{ name: string }>('SELECT name FROM schema_migrations ORDER BY name')
  const applied = rows.map(({ name }) => name)
  const known = migrationNames(folder)
  const unknown = applied.filter((name) => !known.includes(name))
  if (unknown.length > 0) {
    throw new StartupError(`The database was migrated by a newer release of Taskwire: ${unknown.join(', ')}`)
  }
  const pending = known.filter((name) => !applied.includes(name))
  for (const name of pending) {
    const text = readFileSync(join(folder, `${name}.sql`), 'utf8').replaceAll('\r\n', '\n')
    const apply = text.startsWith(OUTSIDE_TRANSACTION) ? applyOutside : applyInside
    await apply(client, name, text).catch((error) => {
      throw new Error(`migration ${name} failed`, { cause: error })
    })
  }
  return pending
}

async function applyInside(client: pg.Client, name: string, text: string): Promise<void> {
  await client.query('BEGIN')
  await client.query(text)
  await record(client, name)
  await client.query('COMMIT')
}

async function applyOutside(client: pg.Client, name: string, text: string): Promise<void> {
  for (const statement of text.split(/;[ \t]*(?:--.*)?$/m)) {
    if (statement.replaceAll(/^--.*$/gm, '').trim() !== '') await client.query(statement)
  }
  await record(client, name)
}

async function record(client: pg.Client, name: string): Promise<void> {
  await client.query('INSERT INTO schema_migrations (name) VALUES ($1)', [name])
}
