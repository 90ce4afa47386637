import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { inject } from 'vitest'
import { type Database, openDatabase } from '../../src/platform/database/database.ts'
import { withDatabase } from './database-url.ts'
import { dropDatabase } from './drop-database.ts'

export interface TestDatabase extends AsyncDisposable {
  url: string
  db: Database
  /** Rows of a statement on the test's own connection. */
  rows<T extends object>(text: string, values?: unknown[]): Promise<T[]>
}

/** A fresh, migrated database of its own, cloned from the template; dropped when disposed. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const adminUrl = inject('adminUrl')
  const name = `taskwire_test_${randomBytes(6).toString('hex')}`
  await admin(adminUrl, `CREATE DATABASE ${name} TEMPLATE ${inject('template')}`)
  const url = withDatabase(adminUrl, name)
  const db = openDatabase({ connectionString: url }, () => {})
  return {
    url,
    db,
    rows: async <T extends object>(text: string, values: unknown[] = []) =>
      (await db.query<T>({ text, values })).rows,
    async [Symbol.asyncDispose]() {
      await db[Symbol.asyncDispose]()
      await dropDatabase((statement) => admin(adminUrl, statement), name)
    },
  }
}

// Cloning fails while another clone of the template is under way; they take turns by a lock.
async function admin(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query("SELECT pg_advisory_lock(hashtext('taskwire test databases'))")
    await client.query(statement)
  } finally {
    await client.end()
  }
}
