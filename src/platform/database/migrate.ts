import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { errorText, StartupError } from '../../core/errors.ts'
import type { ConnectionOptions } from './database.ts'

const folder = join(import.meta.dirname, 'migrations')

/** Names of all migrations, in the order in which they are applied. */
export function migrationNames(): string[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.sql'))
    .map((file) => file.slice(0, -'.sql'.length))
    .sort()
}

/**
 * Brings the schema up to date and returns the names of the migrations that were applied. They are
 * applied in one transaction, all or none. Several processes may call this at once: an advisory lock
 * lets one work and the others wait.
 */
export async function migrate(connection: ConnectionOptions): Promise<string[]> {
  const client = new pg.Client({ ...connection, connectionTimeoutMillis: 5_000 })
  client.on('error', () => {}) // A lost connection fails the statement on it.
  try {
    await client.connect()
    return await applyPending(client)
  } catch (error) {
    if (error instanceof StartupError) throw error
    const message = connection.connectionString
      ? `The database in DATABASE_URL cannot be used: ${errorText(error)}; taskwire doctor says what to do`
      : `The database cannot be used: ${errorText(error)}`
    throw new StartupError(message, { cause: error })
  } finally {
    await client.end().catch(() => {})
  }
}

// What fails here ends the connection, and with it the transaction.
async function applyPending(client: pg.Client): Promise<string[]> {
  await client.query('BEGIN')
  await client.query("SELECT pg_advisory_xact_lock(hashtext('taskwire migrations'))")
  await client.query(
    'CREATE TABLE IF NOT EXISTS schema_migrations (name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())',
  )
  const { rows } = await client.query<{ name: string }>('SELECT name FROM schema_migrations ORDER BY name')
  const applied = rows.map(({ name }) => name)
  const known = migrationNames()
  const unknown = applied.filter((name) => !known.includes(name))
  if (unknown.length > 0) {
    throw new StartupError(
      `The database was made by a newer version of Taskwire: it has ${unknown.join(', ')}`,
    )
  }
  const pending = known.filter((name) => !applied.includes(name))
  for (const name of pending) {
    await client.query(readFileSync(join(folder, `${name}.sql`), 'utf8'))
    await client.query('INSERT INTO schema_migrations (name) VALUES ($1)', [name])
  }
  await client.query('COMMIT')
  return pending
}
