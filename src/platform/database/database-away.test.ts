import pg from 'pg'
import { expect, inject, onTestFinished, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { withDatabase } from '../../../test/support/database-url.ts'
import { eventually } from '../../../test/support/eventually.ts'
import type { Database } from './database.ts'

const isAway = { code: 'unavailable', status: 503 }
const INSERT = { name: 'insert-task', text: "INSERT INTO tasks (title) VALUES ('x')" }

async function newDatabase(): Promise<TestDatabase> {
  const database = await createTestDatabase()
  onTestFinished(() => database[Symbol.asyncDispose]())
  return database
}

/** Statements past the database that is tested. */
async function admin(
  database: TestDatabase,
): Promise<(text: (name: string) => string) => Promise<pg.QueryResult>> {
  const client = new pg.Client({ connectionString: withDatabase(inject('adminUrl'), 'postgres') })
  await client.connect()
  onTestFinished(() => client.end())
  const name = new URL(database.url).pathname.slice(1)
  return (text) => client.query(text(pg.escapeIdentifier(name)))
}

const uses: [string, (db: Database) => Promise<unknown>][] = [
  ['a statement', (db) => db.query(INSERT)],
  ['a transaction', (db) => db.transaction((transaction) => transaction.query(INSERT))],
  [
    'a session',
    async (db) => {
      await using session = await db.session()
      return await session.query(INSERT)
    },
  ],
]

// Nothing of PostgreSQL's says so: while a database is renamed, restored or closed, its codes are those of mistakes.
test.each(uses)('a database that lets nobody in is away for %s, and then is not', async (_, use) => {
  const database = await newDatabase()
  const run = await admin(database)
  await run((name) => `ALTER DATABASE ${name} ALLOW_CONNECTIONS false`)
  await expect(use(database.db)).rejects.toMatchObject(isAway)
  await run((name) => `ALTER DATABASE ${name} ALLOW_CONNECTIONS true`)
  await use(database.db)
})

test.each(uses)('a connection that takes no writes is given up by %s', async (_, use) => {
  const database = await newDatabase()
  const run = await admin(database)
  await run((name) => `ALTER DATABASE ${name} SET default_transaction_read_only = on`)
  await expect(use(database.db)).rejects.toMatchObject(isAway)
  await run((name) => `ALTER DATABASE ${name} RESET default_transaction_read_only`)
  await use(database.db)
})

test('statements that wait for one to be prepared survive its end', async () => {
  const database = await newDatabase()
  const { db } = database
  const run = await admin(database)
  const read = () => db.query({ name: 'tasks-read', text: 'SELECT count(*) FROM tasks', read: 'quick' })
  let reads: Promise<PromiseSettledResult<unknown>[]> | undefined
  await db.transaction(async (transaction) => {
    await transaction.query({ text: 'LOCK TABLE tasks' })
    reads = Promise.allSettled(Array.from({ length: 6 }, read))
    const waiting = `SELECT pg_cancel_backend(pid) FROM pg_stat_activity
      WHERE wait_event_type = 'Lock' AND datname = '${new URL(database.url).pathname.slice(1)}'`
    await eventually(async () => (await run(() => waiting)).rowCount, 'the first of them is cancelled')
  })
  const states = (await reads!).map(({ status }) => status)
  expect(states.toSorted()).toEqual([...Array(5).fill('fulfilled'), 'rejected'])
})
