import { Kysely, PostgresDialect } from 'kysely'
import { Migrator } from 'kysely/migration'
import pg from 'pg'
import { errorText, StartupError } from '../core/errors.ts'
import type { ConnectionOptions } from './database.ts'
import { migrations } from './migrations/index.ts'

/**
 * Brings the schema up to date and returns the names of the migrations that were applied.
 * Several processes may call this at once: an advisory lock lets one work and the others wait.
 */
export async function migrate(connection: ConnectionOptions): Promise<string[]> {
  const pool = new pg.Pool({ ...connection, max: 2, connectionTimeoutMillis: 5_000 })
  pool.on('error', () => {}) // A lost connection fails the statement on it.
  const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) })
  try {
    const migrator = new Migrator({ db, provider: { getMigrations: async () => migrations } })
    const { error, results = [] } = await migrator.migrateToLatest()
    if (error) throw error
    return results.map(({ migrationName }) => migrationName)
  } catch (error) {
    throw new StartupError(explain(error), { cause: error })
  } finally {
    await db.destroy()
  }
}

function explain(error: unknown): string {
  const text = errorText(error)
  if (/corrupted migrations|previously executed migration/.test(text)) {
    return `The database was made by a newer version of Taskwire: ${text}`
  }
  return `The database cannot be used: ${text}`
}
