import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { databaseBefore } from '../../../test/support/database-before.ts'
import { scopeOfUser } from '../../../test/support/scopes.ts'
import { operator } from '../../core/actor.ts'
import { createTaskService } from './task-service.ts'
import type { Status } from './task-status.ts'
import { restoreTask, trashTask, updateTask } from './task-store.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database[Symbol.asyncDispose]())

const create = async (status: Status) =>
  (await createTaskService(database.db).create({ actor: operator }, { title: 'x', status })).id
const times = async (id: number) =>
  (
    await database.rows<{ created_at: string; updated_at: string | null; done_at: string | null }>(
      'SELECT created_at, updated_at, done_at FROM tasks WHERE id = $1',
      [id],
    )
  )[0]!
const change = (id: number, changes: Parameters<typeof updateTask>[2]) =>
  updateTask(database.db, id, changes, { scope: scopeOfUser() })

test('a task has been done since it became so, until it is no more', async () => {
  const id = await create('todo')
  expect((await times(id)).done_at).toBeNull()
  await change(id, { status: 'in_progress' })
  expect((await times(id)).done_at).toBeNull()
  await change(id, { status: 'done' })
  const done = await times(id)
  expect(done.done_at! > done.created_at).toBe(true)
  expect(done.done_at! >= done.updated_at!.slice(0, 19)).toBe(true)

  await change(id, { title: 'Another', status: 'done' })
  await trashTask(database.db, id, { scope: scopeOfUser() })
  await restoreTask(database.db, id, { scope: scopeOfUser() })
  expect((await times(id)).done_at).toBe(done.done_at)

  await change(id, { reopen: true })
  expect((await times(id)).done_at).toBeNull()
  await change(id, { status: 'done' })
  expect((await times(id)).done_at! > done.done_at!).toBe(true)
  await change(id, { status: 'failed' })
  expect((await times(id)).done_at).toBeNull()
})

test('one that was made done has been since it was made', async () => {
  const { created_at, done_at } = await times(await create('done'))
  expect(done_at).toBe(created_at)
})

test('what was done before that was noted is taken for done since its last change', async () => {
  const { client, upgrade } = await databaseBefore('0012-weather-and-done-at')
  await client.query(`INSERT INTO tasks (title, status, city, created_at, updated_at) VALUES
    ('changed', 'done', NULL, '2025-01-01Z', '2025-01-02Z'), ('made', 'done', 'Omsk', '2025-01-01Z', NULL),
    ('open', 'todo', 'Omsk', '2025-01-01Z', '2025-01-02Z')`)
  await upgrade()
  const { rows } = await client.query(
    'SELECT title, done_at::date::text AS done, weather_due_at AS due FROM tasks ORDER BY id',
  )
  expect(rows).toEqual([
    { title: 'changed', done: '2025-01-02', due: null },
    { title: 'made', done: '2025-01-01', due: null },
    { title: 'open', done: null, due: null },
  ])
})
