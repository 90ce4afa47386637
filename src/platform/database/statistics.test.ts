import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { eventually } from '../../../test/support/eventually.ts'
import { logTo } from '../../../test/support/log.ts'
import type { Database, Statement } from './database.ts'
import { keepStatistics } from './statistics.ts'

const LOOK_MS = 20
const lines: Record<string, unknown>[] = []
const log = logTo(lines)

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
  // Nobody else takes any.
  await database.rows('ALTER TABLE tasks SET (autovacuum_enabled = off)')
})
afterAll(() => database[Symbol.asyncDispose]())

async function insert(count: number): Promise<void> {
  await database.db.transaction(async (transaction) => {
    await transaction.query({
      text: `INSERT INTO tasks (title) SELECT 'Task ' || n FROM generate_series(1, $1::integer) n`,
      values: [count],
    })
    // Else PostgreSQL keeps to itself for up to a second how many rows there are.
    await transaction.query({ text: 'SELECT pg_stat_force_next_flush()' })
  })
}

async function taken(): Promise<number> {
  const [row] = await database.rows<{ count: number }>(
    `SELECT analyze_count AS count FROM pg_stat_user_tables WHERE relname = 'tasks'`,
  )
  return row!.count
}

/** The database, which counts how often it was looked for tables that have grown; the first looks may fail. */
function counted({ failures }: { failures: number }) {
  let looks = 0
  const query = async (statement: Statement) => {
    const isAway = ++looks <= failures
    if (isAway) throw new Error('away')
    return database.db.query(statement)
  }
  return {
    db: { ...database.db, query } as Database,
    /** Resolves when one that began after this call has ended, since the next one has begun. */
    async looked() {
      const before = looks
      await eventually(() => looks >= before + 2, 'a look has ended')
    },
  }
}

test('a table that has doubled has new statistics soon, and one that has not is left alone', async () => {
  const { db, looked } = counted({ failures: 0 })
  await using _ = keepStatistics(db, log, LOOK_MS)
  await insert(900)
  await looked()
  expect(await taken()).toBe(0)
  await insert(1_100)
  await eventually(async () => (await taken()) === 1, 'there are statistics')
  await insert(1_900)
  await looked()
  expect(await taken()).toBe(1)
  await insert(200)
  await eventually(async () => (await taken()) === 2, 'there are new statistics')
  const [row] = await database.rows(
    "SELECT null_frac FROM pg_stats WHERE tablename = 'tasks' AND attname = 'deleted_at'",
  )
  expect(row).toEqual({ null_frac: 1 })
})

test('a database that is away is asked again', async () => {
  const before = await taken()
  const { db } = counted({ failures: 3 })
  await using _ = keepStatistics(db, log, LOOK_MS)
  await insert(4_200)
  await eventually(async () => (await taken()) === before + 1, 'there are statistics')
  expect(lines.filter(({ msg }) => msg === 'no new statistics: away')).toHaveLength(3)
})
