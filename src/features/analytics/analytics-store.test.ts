import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { scopeOfUser } from '../../../test/support/scopes.ts'
import { countTasks, UnknownTimeZone } from './analytics-store.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database[Symbol.asyncDispose]())

const ever = { from: undefined, to: undefined }

test('a zone that this PostgreSQL does not know is told from a failure, and leaves the connection usable', async () => {
  const { db } = database
  await expect(countTasks(db, scopeOfUser(), ever, 'Mars/Phobos')).rejects.toThrow(UnknownTimeZone)
  expect(await countTasks(db, scopeOfUser(), ever, 'Asia/Tokyo')).toEqual([
    { kind: 'median', key: null, value: null },
  ])
})

test('what was done in a period is read from the index of that', async () => {
  await database.rows(
    `INSERT INTO tasks (title, status, created_at) SELECT n, 'done', '2025-01-01Z'::timestamptz + make_interval(hours => n)
     FROM generate_series(1, 5000) n`,
  )
  await database.rows('ANALYZE tasks')
  await database.db.transaction(async (transaction) => {
    const scans = async () => {
      const { rows } = await transaction.query<{ scans: number }>({
        text: "SELECT pg_stat_get_xact_numscans('tasks_done_at'::regclass) AS scans",
      })
      return rows[0]!.scans
    }
    const before = await scans()
    await countTasks(
      { ...database.db, query: transaction.query },
      scopeOfUser(),
      { from: '2025-02-01', to: '2025-02-01' },
      'UTC',
    )
    expect(await scans()).toBeGreaterThan(before)
  })
})
