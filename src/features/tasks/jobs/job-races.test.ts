import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../../test/support/database.ts'
import { waitsForALock } from '../../../../test/support/locks.ts'
import { endRuns, startRuns } from './job-store.ts'

const CANCEL = `UPDATE tasks SET status = 'failed', version = version + 1, job = job || '{"state": "failed"}' WHERE id = 1`
const RENAME = `UPDATE tasks SET title = 'Renamed', version = version + 1, job = job || '{"input": {"renamed": true}}' WHERE id = 1`
const TASKS = `SELECT id, title, version, job ->> 'state' AS state, job -> 'input' AS input FROM tasks ORDER BY id`

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database[Symbol.asyncDispose]())

/** Two tasks, 1 and 2, with jobs. */
async function twoTasks(state: 'queued' | 'running'): Promise<void> {
  await database.rows('TRUNCATE tasks, task_runs, events RESTART IDENTITY CASCADE')
  await database.rows(
    `INSERT INTO tasks (title, job)
     SELECT 'Task', jsonb_build_object('type', 'noop', 'input', '{}'::jsonb, 'ticket', n::text, 'state', $1::text,
       'attempts', 1, 'runs', 1, 'max_attempts', 3) FROM generate_series(1, 2) n`,
    [state],
  )
  await database.rows(
    `INSERT INTO task_runs (task_id, number, attempt, worker, state, finished_at)
     SELECT id, 1, 1, 'test', CASE $1 WHEN 'running' THEN 'running' ELSE 'failed' END, CASE $1 WHEN 'running' THEN NULL ELSE now() END
     FROM tasks`,
    [state],
  )
}

/** Runs `late` so that it waits for a row that an open transaction has changed. */
async function afterTheFact<T>(change: string, late: () => Promise<T>): Promise<T> {
  let result: Promise<T> | undefined
  await database.db.transaction(async (transaction) => {
    await transaction.query({ text: change })
    result = late()
    await waitsForALock(database)
  })
  return await result!
}

const untouched = { id: 2, title: 'Task', version: 2, input: {} }
const renamed = { id: 1, title: 'Renamed', version: 3, input: { renamed: true } }
const eventIds = async () =>
  (
    await database.rows<{ id: number }>(
      "SELECT (data ->> 'id')::integer AS id FROM events ORDER BY events.id",
    )
  ).map(({ id }) => id)

describe('the end of a run', () => {
  beforeEach(() => twoTasks('running'))
  const end = () =>
    database.db.transaction((transaction) =>
      endRuns(
        transaction,
        [1, 2].map((taskId) => ({ taskId, number: 1, state: 'succeeded' as const, result: '{}' })),
      ),
    )

  test('that waited for its job to be cancelled changes nothing of it', async () => {
    const ended = await afterTheFact(CANCEL, end)
    expect(ended.map(({ taskId }) => taskId)).toEqual([2])
    const [first, second] = await database.rows(TASKS)
    expect(first).toMatchObject({ version: 2, state: 'failed' })
    expect(second).toEqual({ ...untouched, state: 'succeeded' })
    expect(await eventIds()).toEqual([2])
    expect(await database.rows("SELECT task_id FROM task_runs WHERE state = 'running'")).toEqual([
      { task_id: 1 },
    ])
  })

  test('that waited for another change of the task leaves that in place', async () => {
    expect(await afterTheFact(RENAME, end)).toHaveLength(2)
    expect(await database.rows(TASKS)).toEqual([
      { ...renamed, state: 'succeeded' },
      { ...untouched, state: 'succeeded' },
    ])
    expect(await eventIds()).toEqual([1, 2])
  })
})

describe('the beginning of a run', () => {
  beforeEach(() => twoTasks('queued'))
  const start = () =>
    database.db.transaction((transaction) =>
      startRuns(
        transaction,
        [2, 1].map((taskId) => ({ id: String(taskId), taskId })),
        'test',
      ),
    )

  test('that waited for its job to be cancelled does not come', async () => {
    const { started } = await afterTheFact(CANCEL, start)
    expect(started.map(({ taskId, number }) => [taskId, number])).toEqual([[2, 2]])
    const [first, second] = await database.rows(TASKS)
    expect(first).toMatchObject({ version: 2, state: 'failed' })
    expect(second).toEqual({ ...untouched, state: 'running' })
    expect(await eventIds()).toEqual([2])
  })

  test('that waited for another change of the task leaves that in place', async () => {
    const { started } = await afterTheFact(RENAME, start)
    expect(started.map(({ taskId, input }) => [taskId, input])).toEqual([
      [1, { renamed: true }],
      [2, {}],
    ])
    expect(await database.rows(TASKS)).toEqual([
      { ...renamed, state: 'running' },
      { ...untouched, state: 'running' },
    ])
    expect(await eventIds()).toEqual([1, 2])
  })
})
