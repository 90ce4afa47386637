import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../support/app.ts'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app[Symbol.asyncDispose]())

const create = async (body: object) => (await app.send('POST', '/tasks', body)).body
const patch = (id: number, body: object) => app.send('PATCH', `/tasks/${id}`, body)
const put = (id: number, body: object) => app.send('PUT', `/tasks/${id}`, body)
const restore = (id: number) => app.fetch(`/tasks/${id}/restore`, { method: 'POST' })
const remove = (id: number) => app.fetch(`/tasks/${id}`, { method: 'DELETE' })

/** The events of one task, oldest first, as `type version`. */
async function eventsOf(id: number): Promise<string[]> {
  const rows = await app.database.rows<{ told: string }>(
    `SELECT concat_ws(' ', type, data ->> 'version') AS told FROM events
     WHERE coalesce(data ->> 'id', data ->> 'task_id') = $1 ORDER BY id`,
    [String(id)],
  )
  return rows.map(({ told }) => told)
}

test('a task is created, read, changed and deleted', async () => {
  const created = await app.send('POST', '/tasks', {
    title: '  Новая задача ',
    description: 'Описание',
    completed: false,
  })
  expect(created.status).toBe(201)
  const task = created.body
  expect(created.headers.get('location')).toBe(`/tasks/${task.id}`)
  expect(task).toMatchObject({
    title: 'Новая задача',
    status: 'todo',
    completed: false,
    version: 1,
    updated_at: null,
  })
  expect(task.created_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)

  const patched = await app.send('PATCH', `/tasks/${task.id}`, { completed: true })
  expect(patched.body).toMatchObject({ status: 'done', completed: true, version: 2 })

  expect((await app.fetch(`/tasks/${task.id}`, { method: 'DELETE' })).status).toBe(204)
  expect((await app.fetch(`/tasks/${task.id}`)).status).toBe(404)
})

test('a new task has exactly the fields of the contract, and reads the same at its Location', async () => {
  const before = Date.now()
  const { body, headers } = await app.send('POST', '/tasks', { title: 'Alone' })
  expect(body).toEqual({
    id: expect.any(Number),
    title: 'Alone',
    description: null,
    status: 'todo',
    completed: false,
    priority: 'none',
    due_at: null,
    labels: [],
    position: expect.stringMatching(/^8[\da-f]{7}i$/),
    city: null,
    weather: null,
    user_id: null,
    source: null,
    job: null,
    version: 1,
    created_at: expect.any(String),
    updated_at: null,
  })
  expect(Math.abs(new Date(body.created_at).getTime() - before)).toBeLessThan(60_000)
  expect(headers.get('content-type')).toMatch(/^application\/json/)
  const read = await app.fetch(headers.get('location')!)
  expect(read).toMatchObject({ status: 200, body })
  expect(read.headers.get('etag')).toBe(headers.get('etag'))
  expect(await eventsOf(body.id)).toEqual(['task_created 1'])
})

test('text comes back as it was sent, but for the blanks around a title and a city', async () => {
  const description =
    '  two  \r\n spaces, "quotes", \u0001, \u2028, 日本語, 👩‍👩‍👧 ' + "'; DROP TABLE tasks; -- $1 %s"
  const task = await create({ title: '\t Tab\u00a0', description, city: ' Нижний Новгород ' })
  expect(task).toMatchObject({ title: 'Tab', description, city: 'Нижний Новгород' })
  expect((await app.fetch(`/tasks/${task.id}`)).body).toEqual(task)
  expect(await create({ title: 'x'.repeat(100), description: 'y'.repeat(10_000) })).toMatchObject({
    version: 1,
  })
})

test.each([
  [{}, 'todo'],
  [{ completed: true }, 'done'],
  [{ completed: false }, 'todo'],
  [{ status: 'in_progress' }, 'in_progress'],
  [{ status: 'New' }, 'todo'],
  [{ status: 'iN pRoGrEsS' }, 'in_progress'],
  [{ status: 'COMPLETED' }, 'done'],
  [{ status: 'failed' }, 'failed'],
  [{ status: 'Failed', completed: false }, 'failed'],
  [{ status: 'DONE', completed: true }, 'done'],
])('created with %o a task is %s', async (fields, status) => {
  expect(await create({ title: 'Rules', ...fields })).toMatchObject({ status, completed: status === 'done' })
})

test.each([
  ['todo', { completed: true }, 'done'],
  ['done', { completed: false }, 'todo'],
  ['in_progress', { completed: false }, 'in_progress'],
  ['failed', { completed: false }, 'failed'],
  ['failed', { completed: true }, 'done'],
  ['done', { status: 'In Progress' }, 'in_progress'],
  ['todo', { status: 'Completed', completed: true }, 'done'],
  ['done', { status: 'failed', completed: false }, 'failed'],
])('a task that is %s and gets %o is %s', async (status, change, expected) => {
  const { id } = await create({ title: 'Rules', status })
  const { body } = await patch(id, change)
  expect(body).toMatchObject({ status: expected, completed: expected === 'done' })
  expect(body.version).toBe(expected === status ? 1 : 2)
})

test.each([
  { status: 'done', completed: false },
  { status: 'New', completed: true },
  { status: 'failed', completed: true },
])('%o contradicts itself: 422, and nothing changes', async (body) => {
  const task = await create({ title: 'Whole' })
  for (const answer of [
    await app.send('POST', '/tasks', { title: 'x', ...body }),
    await patch(task.id, body),
    await put(task.id, { title: 'x', ...body }),
  ]) {
    expect(answer.status).toBe(422)
    expect(answer.body.errors).toEqual([
      { path: 'body.completed', message: expect.stringContaining('contradicts') },
    ])
  }
  expect((await app.fetch(`/tasks/${task.id}`)).body).toEqual(task)
})

test('PATCH leaves what is absent and clears what is null', async () => {
  const task = await create({ title: 'Old', description: 'text', city: 'Omsk', status: 'in_progress' })
  const renamed = (await patch(task.id, { title: ' New ' })).body
  expect(renamed).toEqual({
    ...task,
    title: 'New',
    version: 2,
    updated_at: expect.stringMatching(/\.\d{6}Z$/),
  })
  const cleared = (await patch(task.id, { description: null, city: null })).body
  expect(cleared).toMatchObject({
    title: 'New',
    description: null,
    city: null,
    status: 'in_progress',
    version: 3,
  })
  expect((await patch(task.id, { title: null })).status).toBe(422)
  expect((await patch(task.id, { status: null })).status).toBe(422)
  expect(await eventsOf(task.id)).toEqual(['task_created 1', 'task_updated 2', 'task_updated 3'])
})

test.each([
  [{}],
  [{ title: 'Same ' }],
  [{ completed: true }],
  [{ status: 'Completed' }],
  [{ title: 'Same', description: 'text', city: 'Omsk', status: 'done', completed: true }],
])('PATCH with %o changes nothing: no version, no time, no event', async (body) => {
  const task = await create({ title: 'Same', description: 'text', city: 'Omsk', completed: true })
  const answer = await patch(task.id, body)
  expect(answer).toMatchObject({ status: 200, body: task })
  expect(answer.headers.get('etag')).toBe('"1"')
  expect((await put(task.id, { ...pick(task), status: 'done' })).body).toEqual(task)
  expect(await eventsOf(task.id)).toEqual(['task_created 1'])
})

test('PUT replaces title, description, status and city: what is absent is cleared', async () => {
  const task = await create({ title: 'Old', description: 'text', city: 'Omsk', status: 'failed' })
  const replaced = (await put(task.id, { title: 'New', city: 'Tomsk' })).body
  expect(replaced).toMatchObject({
    title: 'New',
    description: null,
    status: 'todo',
    city: 'Tomsk',
    version: 2,
  })
  expect(replaced.created_at).toBe(task.created_at)
  expect((await put(task.id, { title: 'New', completed: true })).body).toMatchObject({
    status: 'done',
    city: null,
  })
  expect((await put(task.id, { description: 'no title' })).status).toBe(422)
})

test('what is in the trash is hidden everywhere until it is restored', async () => {
  const task = await create({ title: 'Trash me' })
  expect((await restore(task.id)).status).toBe(404)
  const total = Number((await app.fetch('/tasks')).headers.get('x-total-count'))
  const deleted = await remove(task.id)
  expect(deleted).toMatchObject({ status: 204, body: '' })
  for (const answer of [
    await app.fetch(`/tasks/${task.id}`),
    await patch(task.id, { title: 'x' }),
    await put(task.id, { title: 'x' }),
    await remove(task.id),
  ]) {
    expect(answer.status).toBe(404)
  }
  const list = await app.fetch('/tasks?limit=1000')
  expect(Number(list.headers.get('x-total-count'))).toBe(total - 1)
  expect(list.body.map(({ id }: { id: number }) => id)).not.toContain(task.id)

  const restored = await restore(task.id)
  expect(restored).toMatchObject({ status: 200, body: { id: task.id, title: 'Trash me', version: 3 } })
  expect((await app.fetch(`/tasks/${task.id}`)).body).toEqual(restored.body)
  expect(await eventsOf(task.id)).toEqual(['task_created 1', 'task_deleted', 'task_created 3'])
})

test.each(['GET', 'PATCH', 'PUT', 'DELETE'])('%s of a task that never was: 404', async (method) => {
  const answer = await app.send(
    method,
    '/tasks/2147483647',
    method.startsWith('P') ? { title: 'x' } : undefined,
  )
  expect(answer).toMatchObject({ status: 404, body: { status: 404, instance: '/tasks/2147483647' } })
})

function pick({ title, description, city }: Record<string, string>) {
  return { title, description, city }
}
