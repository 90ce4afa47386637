import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../../test/support/database.ts'
import type { Transaction } from '../../../platform/database/database.ts'
import { endRuns, startRuns } from './job-store.ts'

const TABLES = ['tasks', 'task_runs', 'job_secrets']

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
  // This is the first minute of a growing table: PostgreSQL has no statistics of it yet.
  for (const table of TABLES) await database.rows(`ALTER TABLE ${table} SET (autovacuum_enabled = off)`)
  await database.rows(`INSERT INTO tasks (title, job)
    SELECT 'Task ' || n, json_build_object('type', 'noop', 'input', '{}'::json, 'ticket', n::text, 'state', 'queued',
      'attempts', 0, 'runs', 0, 'max_attempts', 1)
    FROM generate_series(1, 5000) n`)
  await database.rows(`INSERT INTO task_runs (task_id, number, attempt, worker, state, finished_at)
    SELECT n, 9, 1, 'elsewhere', 'failed', now() FROM generate_series(1, 5000) n`)
  await database.rows(`INSERT INTO job_secrets SELECT n, '{}' FROM generate_series(1, 5000) n`)
})
afterAll(() => database[Symbol.asyncDispose]())

/** By this connection, so far. */
async function rowsRead(transaction: Transaction): Promise<number> {
  const { rows } = await transaction.query<{ count: number }>({
    text: `SELECT sum(seq_tup_read + idx_tup_fetch)::integer AS count FROM pg_stat_xact_user_tables WHERE relname = ANY ($1)`,
    values: [TABLES],
  })
  return rows[0]!.count
}

test('to begin runs and to write how they ended reads what is of their tasks, and no more', async () => {
  // A plan that is kept is made after some runs on a connection.
  for (let turn = 0; turn < 12; turn++) {
    const ids = [1, 2, 3, 4].map((n) => turn * 4 + n)
    const read = await database.db.transaction(async (transaction) => {
      const before = await rowsRead(transaction)
      const tickets = ids.map((taskId) => ({ id: String(taskId), taskId }))
      const { started } = await startRuns(transaction, tickets, 'test')
      expect(started.map(({ taskId }) => taskId)).toEqual(ids)
      const runs = started.map(({ taskId, number }) => ({ taskId, number, state: 'succeeded' as const }))
      expect(await endRuns(transaction, runs.toReversed())).toHaveLength(4)
      return (await rowsRead(transaction)) - before
    })
    expect(read).toBeLessThan(100)
  }
  const done = await database.rows("SELECT id FROM tasks WHERE job ->> 'state' = 'succeeded' ORDER BY id")
  expect(done).toEqual(Array.from({ length: 48 }, (_, i) => ({ id: i + 1 })))
})
