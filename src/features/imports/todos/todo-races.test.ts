import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../../test/support/database.ts'
import { rawClient } from '../../../../test/support/event-harness.ts'
import { waitsForALock } from '../../../../test/support/locks.ts'
import { operator } from '../../../core/actor.ts'
import { createTaskService } from '../../tasks/index.ts'
import { saveTodos } from './save-todos.ts'
import type { SourceTodo } from './todo-source.ts'

let database: TestDatabase
let person: Awaited<ReturnType<typeof rawClient>>
beforeAll(async () => {
  database = await createTestDatabase()
  person = await rawClient(database.url)
})
afterAll(async () => {
  await person.end()
  await database[Symbol.asyncDispose]()
})

let keys = 0
const description = 'From external API: User 1'
const save = (...todos: SourceTodo[]) =>
  database.db.transaction((transaction) => saveTodos(transaction, todos))

/** Imports a todo and returns the id of its task. */
async function imported(): Promise<{ todo: SourceTodo; id: number }> {
  const todo = { key: String(++keys), title: 'Theirs', description, completed: false }
  await save(todo)
  const [row] = await database.rows<{ id: number }>('SELECT id FROM tasks WHERE source_key = $1', [todo.key])
  return { todo, id: row!.id }
}

async function taskOf(id: number) {
  const [row] = await database.rows<{ title: string; status: string; version: number; deleted: boolean }>(
    'SELECT title, description, status, version, deleted_at IS NOT NULL AS deleted FROM tasks WHERE id = $1',
    [id],
  )
  return row!
}

/** Starts an import that has written but not committed. */
async function openImport(todo: SourceTodo) {
  const written = Promise.withResolvers<void>()
  const held = Promise.withResolvers<void>()
  const saving = database.db.transaction(async (transaction) => {
    await saveTodos(transaction, [todo])
    written.resolve()
    await held.promise
  })
  await Promise.race([written.promise, saving])
  const commit = async () => {
    held.resolve()
    await saving
  }
  return { commit, [Symbol.asyncDispose]: commit }
}

test('an edit that commits while the import waits is kept, and the other fields are imported', async () => {
  const { todo, id } = await imported()
  await person.query('BEGIN')
  await person.query(`UPDATE tasks SET title = 'Mine', version = version + 1 WHERE id = $1`, [id])
  const saving = save({ ...todo, title: 'Theirs, changed', completed: true })
  await waitsForALock(database)
  await person.query('COMMIT')
  expect(await saving).toEqual({ created: 0, updated: 1, skipped: 0 })
  expect(await taskOf(id)).toMatchObject({ title: 'Mine', status: 'done', version: 3 })
  await save({ ...todo, title: 'Theirs, changed again', completed: true })
  expect(await taskOf(id)).toMatchObject({ title: 'Mine', status: 'done', version: 3 })
})

test('an edit of all fields that commits while the import waits leaves nothing to update', async () => {
  const { todo, id } = await imported()
  await person.query('BEGIN')
  await person.query(
    `UPDATE tasks SET title = 'Mine', description = NULL, status = 'failed', version = version + 1 WHERE id = $1`,
    [id],
  )
  const saving = save({ key: todo.key, title: 'New', description: 'New', completed: true })
  await waitsForALock(database)
  await person.query('COMMIT')
  expect(await saving).toEqual({ created: 0, updated: 0, skipped: 1 })
  expect(await taskOf(id)).toMatchObject({ title: 'Mine', description: null, status: 'failed', version: 2 })
})

test('an edit that is rolled back while the import waits has no effect', async () => {
  const { todo, id } = await imported()
  await person.query('BEGIN')
  await person.query(`UPDATE tasks SET title = 'Mine' WHERE id = $1`, [id])
  const saving = save({ ...todo, title: 'New' })
  await waitsForALock(database)
  await person.query('ROLLBACK')
  expect(await saving).toMatchObject({ updated: 1 })
  expect(await taskOf(id)).toMatchObject({ title: 'New', version: 2 })
})

test('a deletion that commits while the import waits stays; after a restore imports update the task again', async () => {
  const { todo, id } = await imported()
  const news = { ...todo, title: 'New' }
  await person.query('BEGIN')
  await person.query('UPDATE tasks SET deleted_at = now() WHERE id = $1', [id])
  const saving = save(news)
  await waitsForALock(database)
  await person.query('COMMIT')
  expect(await saving).toEqual({ created: 0, updated: 0, skipped: 1 })
  expect(await taskOf(id)).toMatchObject({ title: 'Theirs', deleted: true })
  await createTaskService(database.db).restore({ actor: operator }, id)
  expect(await save(news)).toMatchObject({ updated: 1 })
  expect(await taskOf(id)).toMatchObject({ title: 'New', deleted: false })
})

test('a task that is purged during an import is not created again', async () => {
  const { todo, id } = await imported()
  await createTaskService(database.db).remove({ actor: operator }, id)
  await person.query('BEGIN')
  await person.query('DELETE FROM tasks WHERE id = $1', [id])
  const saving = save({ ...todo, title: 'New' })
  await person.query('COMMIT')
  expect(await saving).toMatchObject({ created: 0, updated: 0 })
  expect(await save({ ...todo, title: 'Newer' })).toMatchObject({ created: 0, updated: 0, skipped: 1 })
  expect(await taskOf(id)).toBeUndefined()
})

test('a PATCH that waits for an import is applied to the imported values', async () => {
  const { todo, id } = await imported()
  await using open = await openImport({ ...todo, title: 'New', completed: true })
  const patching = createTaskService(database.db).patch({ actor: operator }, id, { title: 'Mine' })
  await waitsForALock(database)
  await open.commit()
  expect(await patching).toMatchObject({ title: 'Mine', status: 'done', version: 3, changed: true })
  const events = await database.rows<{ version: number }>(
    `SELECT (data->>'version')::integer AS version FROM events WHERE data->>'id' = $1 ORDER BY id`,
    [String(id)],
  )
  expect(events.map(({ version }) => version)).toEqual([1, 2, 3])
})

test('a PATCH with If-Match that waits for an import is rejected and writes nothing', async () => {
  const { todo, id } = await imported()
  await using open = await openImport({ ...todo, title: 'New' })
  const patching = createTaskService(database.db).patch({ actor: operator }, id, { title: 'Mine' }, [1])
  const refused = expect(patching).rejects.toThrow(/at version 2/)
  await waitsForALock(database)
  await open.commit()
  await refused
  expect(await taskOf(id)).toMatchObject({ title: 'New', version: 2 })
})

test('two concurrent saves of the same new items create each item once', async () => {
  const todos = Array.from({ length: 50 }, () => ({
    key: String(++keys),
    title: 'T',
    description,
    completed: false,
  }))
  const results = await Promise.allSettled([save(...todos), save(...todos.toReversed()), save(...todos)])
  expect(results.filter(({ status }) => status === 'fulfilled').length).toBeGreaterThan(0)
  const [row] = await database.rows<{ count: number }>(
    'SELECT count(*) AS count FROM tasks WHERE source_key = ANY ($1)',
    [todos.map(({ key }) => key)],
  )
  expect(row!.count).toBe(50)
  expect(await save(...todos)).toEqual({ created: 0, updated: 0, skipped: 50 })
})
