import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { startTestApp, type TestApp } from '../support/app.ts'

/** The requests of documents A and B (their TODO half) as they are printed there; only ids and ports differ. */

let upstream: Server
let app: TestApp
const todo = (id: number) => ({
  userId: 1,
  id,
  title: id === 1 ? 'delectus aut autem' : `todo ${id}`,
  completed: false,
})
const todos = Array.from({ length: 200 }, (_, i) => todo(i + 1))
beforeAll(async () => {
  upstream = createServer((_request, response) => {
    response.setHeader('content-type', 'application/json; charset=utf-8').end(JSON.stringify(todos))
  })
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
  const { port } = upstream.address() as AddressInfo
  app = await startTestApp({ TODO_SOURCE_URL: `http://127.0.0.1:${port}/todos` })
})
afterAll(async () => {
  await app[Symbol.asyncDispose]()
  upstream.close()
})

interface Event {
  id: string
  type: string
  at: string
  data: Record<string, unknown>
}

test('the whole tour of the documents, in their order, with its events', async () => {
  const events: Event[] = []
  const socket = new WebSocket(`${app.url.replace('http', 'ws')}/ws/tasks`)
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
  const deleted = Promise.withResolvers<void>()
  socket.on('message', (data) => {
    const event = JSON.parse(String(data)) as Event
    events.push(event)
    if (event.type === 'task_deleted') deleted.resolve()
  })

  // curl -X POST http://localhost:8000/task-generator/run
  const generated = await app.fetch('/task-generator/run', { method: 'POST' })
  expect(generated.status).toBe(200)
  expect(generated.body).toMatchObject({
    message: 'Background task executed successfully',
    tasks_created: 200,
  })

  // curl http://localhost:8000/tasks?skip=0&limit=10
  const listed = await app.fetch('/tasks?skip=0&limit=10')
  expect(listed.status).toBe(200)
  expect(listed.body).toHaveLength(10)
  expect(listed.body[0]).toMatchObject({
    id: expect.any(Number),
    title: 'delectus aut autem',
    description: 'From external API: User 1',
    completed: false,
    created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/),
    updated_at: null,
  })
  // As the shell runs it: the & ends the command.
  expect((await app.fetch('/tasks?skip=0')).body).toHaveLength(100)

  // curl http://localhost:8000/tasks/1
  const { id } = listed.body[0]
  expect(await app.fetch(`/tasks/${id}`)).toMatchObject({ status: 200, body: listed.body[0] })

  // curl -X POST … -d '{"title": "Новая задача", "description": "Описание", "completed": false}'
  const created = await app.fetch('/tasks', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: '{"title": "Новая задача", "description": "Описание", "completed": false}',
  })
  expect(created.status).toBe(201)
  const fields = { title: 'Новая задача', description: 'Описание', completed: false, updated_at: null }
  expect(created.body).toMatchObject(fields)
  const longer = { title: 'Новая задача', description: 'Описание задачи', completed: false }
  expect((await app.send('POST', '/tasks', longer)).body).toMatchObject(longer)

  // curl -X PATCH http://localhost:8000/tasks/1 … -d '{"completed": true}'
  const patched = await app.fetch(`/tasks/${created.body.id}`, {
    method: 'PATCH',
    headers: { 'Content-Type': 'application/json' },
    body: '{"completed": true}',
  })
  expect(patched).toMatchObject({
    status: 200,
    body: { ...fields, completed: true, updated_at: expect.any(String) },
  })
  const renamed = await app.send('PATCH', `/tasks/${created.body.id}`, {
    title: 'Обновленный заголовок',
    completed: true,
  })
  expect(renamed.body).toMatchObject({
    title: 'Обновленный заголовок',
    description: 'Описание',
    completed: true,
  })

  // curl -X DELETE http://localhost:8000/tasks/1
  const removed = await app.fetch(`/tasks/${created.body.id}`, { method: 'DELETE' })
  expect(removed).toMatchObject({ status: 204, body: '' })
  expect((await app.fetch(`/tasks/${created.body.id}`)).status).toBe(404)

  // curl http://localhost:8000/health
  const health = await app.fetch('/health')
  expect(health).toMatchObject({ status: 200, body: { status: 'healthy' } })
  expect(Object.keys(health.body)).toEqual(['status'])

  await deleted.promise
  socket.close()
  const imported = events.splice(0, events.length - 5)
  expect(imported.at(-1)).toMatchObject({ type: 'background_task_completed', data: { created_count: 200 } })
  expect(events.map(({ type, data }) => ({ type, data }))).toEqual([
    { type: 'task_created', data: { task: created.body } },
    { type: 'task_created', data: { task: expect.objectContaining(longer) } },
    { type: 'task_updated', data: { task: patched.body } },
    { type: 'task_updated', data: { task: renamed.body } },
    { type: 'task_deleted', data: { task_id: created.body.id } },
  ])
})

test('the generator can be run again, and then creates nothing', async () => {
  const { body } = await app.fetch('/task-generator/run', { method: 'POST' })
  expect(body).toMatchObject({ tasks_created: 0, tasks_skipped: 200 })
})
