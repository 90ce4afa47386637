import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../support/app.ts'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app[Symbol.asyncDispose]())

const set = { priority: 'high', due_at: '2025-12-31T09:00:00.000000Z', labels: ['home', 'garden'] }
const unset = { priority: 'none', due_at: null, labels: [] }
const create = async (body: object) => (await app.send('POST', '/tasks', body)).body
const lastEvent = async () =>
  (
    await app.database.rows<{ type: string; data: Record<string, unknown> }>(
      'SELECT type, data FROM events ORDER BY id DESC LIMIT 1',
    )
  )[0]!

test('a task has a priority, a time it is due and labels from its creation on, or none of them', async () => {
  const created = await app.send('POST', '/tasks', { title: 'Water', ...set })
  expect(created).toMatchObject({ status: 201, body: set })
  expect((await app.fetch(`/tasks/${created.body.id}`)).body).toEqual(created.body)
  expect((await app.fetch('/tasks?sort=-id&limit=1')).body).toEqual([created.body])
  const { type, data } = await lastEvent()
  expect([type, Object.keys(data).toSorted()]).toEqual([
    'task_created',
    Object.keys(created.body)
      .filter((name) => name !== 'completed')
      .toSorted(),
  ])
  expect(await create({ title: 'Plain' })).toMatchObject(unset)
  expect(await create({ title: 'Given up', due_at: null, labels: [], priority: 'none' })).toMatchObject(unset)
  const job = { type: 'noop', input: { failures: 0 } }
  expect(await create({ title: 'Executable', job, ...set })).toMatchObject(set)
})

test('they are changed one by one, and by a PUT all at once', async () => {
  const { id } = await create({ title: 'Changing' })
  const patch = async (body: object) => (await app.send('PATCH', `/tasks/${id}`, body)).body
  expect(await patch({ priority: 'urgent' })).toMatchObject({ ...unset, priority: 'urgent', version: 2 })
  expect(await patch({ labels: set.labels })).toMatchObject({ priority: 'urgent', labels: set.labels })
  const due = await patch({ due_at: set.due_at })
  expect(due).toMatchObject({ priority: 'urgent', due_at: set.due_at, labels: set.labels, version: 4 })
  expect(await patch({ due_at: '2025-12-31T12:00:00+03:00', labels: set.labels })).toEqual(due)
  expect(await patch({ labels: set.labels.toReversed() })).toMatchObject({ version: 5 })
  expect(await patch({ due_at: null })).toMatchObject({ due_at: null, version: 6 })
  expect(await patch({ priority: 'none', labels: [] })).toMatchObject({ ...unset, version: 7 })
  const put = (body: object) => app.send('PUT', `/tasks/${id}`, { title: 'Changing', ...body })
  expect((await put(set)).body).toMatchObject(set)
  const before = (await app.fetch(`/tasks/${id}`)).body
  expect((await put({})).body).toMatchObject({ ...unset, position: before.position })
})

test.each([
  [
    [' home ', '\thome', 'Home'],
    ['home', 'Home'],
  ],
  [
    ['b', 'a', 'b', 'c', 'a'],
    ['b', 'a', 'c'],
  ],
  [[`${'я'.repeat(49)}😀`], [`${'я'.repeat(49)}😀`]],
  [["'; DROP TABLE tasks --", '{a,"b"}', '\\', 'NULL', ''.padEnd(3, '%')], null],
])('the labels %j are trimmed, and of equal ones the first counts', async (given, kept) => {
  const task = await create({ title: 'Labelled', labels: given })
  expect(task.labels).toEqual(kept ?? given)
  expect((await app.fetch(`/tasks/${task.id}`)).body).toEqual(task)
})

test('the events of the time before there were these fields are told with what a new task has', async () => {
  const data = { id: 7, title: 'Old', status: 'todo', created_at: '2025-01-01T00:00:00+00:00', version: 1 }
  await app.database.rows("INSERT INTO events (type, data) VALUES ('task_created', $1)", [
    JSON.stringify({ ...data, description: null, city: null, user_id: null, updated_at: null }),
  ])
  const { events } = (await app.fetch('/events?limit=1000', { headers: { accept: 'application/json' } })).body
  expect(events.at(-1).data.task).toMatchObject({ ...unset, title: 'Old', position: '80000007i' })
})

test('no statement that tells an event of a task tells more of it than a task has', async () => {
  const { id } = await create({ title: 'Told', job: { type: 'noop' } })
  await app.send('PATCH', `/tasks/${id}`, { title: 'Told again' })
  await app.fetch(`/tasks/${id}`, { method: 'DELETE' })
  await app.fetch(`/tasks/${id}/restore`, { method: 'POST' })
  await app.fetch(`/tasks/${id}/retry`, { method: 'POST' })
  const known = Object.keys((await app.fetch(`/tasks/${id}`)).body)
  const told = await app.database.rows<{ key: string }>(
    'SELECT DISTINCT json_object_keys(data) AS key FROM events',
  )
  expect(told.map(({ key }) => key).filter((key) => ![...known, 'task_id'].includes(key))).toEqual([])
})
