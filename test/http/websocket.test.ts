import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { WebSocket } from 'ws'
import { EventStream } from '../../src/events/stream.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { eventually } from '../support/eventually.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'

interface Envelope {
  id: string
  type: string
  at: string
  data: Record<string, unknown>
}
interface Listener {
  socket: WebSocket
  events: Envelope[]
  next(): Promise<Envelope>
}

let app: TestApp
let upstream: Upstream
const open: WebSocket[] = []

/** The subscriptions that have not been closed. */
const live = new Set<object>()
const { subscribe } = EventStream.prototype
vi.spyOn(EventStream.prototype, 'subscribe').mockImplementation(async function (this: EventStream, ...given) {
  const subscription = await subscribe.apply(this, given)
  live.add(subscription)
  const close = () => {
    subscription.close()
    live.delete(subscription)
  }
  return { ...subscription, close }
})

beforeAll(async () => {
  upstream = await startUpstream()
  app = await startTestApp({ TODO_SOURCE_URL: upstream.url })
})
afterEach(async () => {
  for (const socket of open.splice(0)) socket.terminate()
  await eventually(() => live.size === 0, 'the sockets of the test are gone')
})
afterAll(async () => {
  await app[Symbol.asyncDispose]()
  await upstream[Symbol.asyncDispose]()
})

async function listen(path = '/ws', to = app): Promise<Listener> {
  const socket = new WebSocket(to.url.replace('http', 'ws') + path)
  open.push(socket)
  const events: Envelope[] = []
  let read = 0
  socket.on('message', (data) => events.push(JSON.parse(String(data))))
  await once(socket, 'open')
  const next = () => eventually(() => events[read] && events[read++], 'the next event')
  return { socket, events, next }
}

const create = (title = 'A task') => app.send('POST', '/tasks', { title })

test('the first message is the first event: no greeting; each change has its envelope', async () => {
  const { next, events } = await listen('/ws/tasks')
  const created = (await app.send('POST', '/tasks', { title: 'One', description: 'ж', city: 'Москва' })).body
  const first = await next()
  expect(Object.keys(first)).toEqual(['id', 'type', 'at', 'data'])
  expect(first).toEqual({
    id: expect.stringMatching(/^\d+$/),
    type: 'task_created',
    at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/),
    data: { task: created },
  })
  const path = `/tasks/${created.id}`
  const patched = (await app.send('PATCH', path, { completed: true })).body
  expect(await next()).toMatchObject({ type: 'task_updated', data: { task: patched } })
  const replaced = (await app.send('PUT', path, { title: 'Two' })).body
  const put = await next()
  expect(put.type).toBe('task_updated')
  expect(put.data).toEqual({ task: replaced })
  await app.fetch(path, { method: 'DELETE' })
  const deleted = await next()
  expect(deleted.type).toBe('task_deleted')
  expect(deleted.data).toEqual({ task_id: created.id })
  const restored = (await app.fetch(`${path}/restore`, { method: 'POST' })).body
  const again = await next()
  expect(again.type).toBe('task_created')
  expect(again.data).toEqual({ task: restored })
  expect(again.data).toEqual({ task: (await app.fetch(path)).body })
  const ids = events.map(({ id }) => Number(id))
  expect(ids).toEqual([...ids].sort((a, b) => a - b))
})

test('an update that changes nothing, and one that fails, tell nothing', async () => {
  const { body: task } = await create('Same')
  const { next } = await listen()
  expect((await app.send('PATCH', `/tasks/${task.id}`, { title: 'Same' })).status).toBe(200)
  expect((await app.send('PATCH', `/tasks/${task.id}`, { title: '' })).status).toBe(422)
  expect((await app.send('PATCH', `/tasks/${task.id}`, { title: 'X' }, { 'if-match': '"9"' })).status).toBe(
    412,
  )
  expect((await app.fetch('/tasks/2147483647', { method: 'DELETE' })).status).toBe(404)
  const { body: marker } = await create('Marker')
  expect((await next()).data).toEqual({ task: marker })
})

test('an import tells each task and then its end, on both addresses', async () => {
  const [all, tasks] = await Promise.all([listen('/ws'), listen('/ws/tasks/')])
  const { body: run } = await app.fetch('/task-generator/run', { method: 'POST' })
  expect(run.tasks_created).toBe(20)
  for (const { events } of [all, tasks]) {
    await eventually(() => events.length === 21, 'the events of the import')
    expect(events.slice(0, 20).every(({ type }) => type === 'task_created')).toBe(true)
    expect(events[20]).toMatchObject({ type: 'background_task_completed' })
    expect(events[20]!.data).toEqual({
      created_count: 20,
      updated_count: 0,
      skipped_count: 0,
      importer: 'todos',
      run_id: run.run_id,
    })
  }
  expect(tasks.events).toEqual(all.events)
  const { task } = all.events[0]!.data as { task: { id: number } }
  expect(task).toEqual((await app.fetch(`/tasks/${task.id}`)).body)
})

test('two clients see 200 concurrent writes in the order of the table', async () => {
  const listeners = await Promise.all([listen('/ws'), listen('/ws/tasks')])
  const [last] = await app.database.rows<{ id: number }>('SELECT max(id) AS id FROM events')
  const answers = await Promise.all(Array.from({ length: 200 }, (_, i) => create(`Task ${i}`)))
  expect(answers.every(({ status }) => status === 201)).toBe(true)
  const rows = await app.database.rows<{ id: number }>('SELECT id FROM events WHERE id > $1 ORDER BY id', [
    last!.id,
  ])
  for (const { events } of listeners) {
    await eventually(() => events.length === 200, '200 events')
    expect(events.map(({ id }) => id)).toEqual(rows.map(({ id }) => String(id)))
  }
})

test('a write after open is always heard, one acknowledged before connecting never', async () => {
  // Another that stays makes the stream active; without it each round begins from idle.
  for (const path of ['/ws', '/ws/tasks']) {
    if (path === '/ws/tasks') await listen()
    for (let round = 0; round < 50; round++) {
      const before = (await create(`Before ${round}`)).body
      const { next, socket } = await listen(path)
      const after = (await create(`After ${round}`)).body
      expect(await next()).toMatchObject({ type: 'task_created', data: { task: { id: after.id } } })
      expect(after.id).not.toBe(before.id)
      socket.close()
    }
  }
})

test('a plain GET is told to upgrade, and other methods what is allowed', async () => {
  for (const path of ['/ws', '/ws/tasks']) {
    const { status, headers, body } = await app.fetch(path)
    expect(status).toBe(426)
    expect(headers.get('content-type')).toMatch(/^application\/problem\+json/)
    expect(headers.get('upgrade')).toBe('websocket')
    expect(body).toMatchObject({ status: 426, title: 'Upgrade Required', instance: path })
    expect((await app.fetch(path, { method: 'POST' })).status).toBe(405)
  }
})

test('a message over 64 KiB closes with 1009', async () => {
  const { socket } = await listen()
  socket.send('x'.repeat(64 * 1024))
  const marker = await create('Still there')
  expect(marker.status).toBe(201)
  expect(socket.readyState).toBe(WebSocket.OPEN)
  socket.send('x'.repeat(64 * 1024 + 1))
  const [code] = await once(socket, 'close')
  expect(code).toBe(1009)
})

/** Sends a handshake with these headers, reads the answer to its end. */
async function handshake(headers: Record<string, string>, path = '/ws'): Promise<string> {
  const { port } = new URL(app.url)
  const socket = connect(Number(port), '127.0.0.1')
  const lines = Object.entries({ Host: 'localhost', Connection: 'Upgrade', Upgrade: 'websocket', ...headers })
  socket.write(`GET ${path} HTTP/1.1\r\n${lines.map((line) => line.join(': ')).join('\r\n')}\r\n\r\n`)
  let text = ''
  for await (const chunk of socket) text += chunk
  return text
}

const key = { 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==' }
const version = { 'Sec-WebSocket-Version': '13' }

test.each([
  ['no key', version, 400],
  ['a key that is none', { ...version, 'Sec-WebSocket-Key': 'short' }, 400],
  ['no version', key, 400],
  ['another version', { ...key, 'Sec-WebSocket-Version': '99' }, 400],
  ['a foreign origin', { ...key, ...version, Origin: 'https://evil.example' }, 403],
  ['a foreign host', { ...key, ...version, Host: 'evil.example' }, 403],
  ['a token that is none', { ...key, ...version, Authorization: 'Bearer x' }, 401],
])('a handshake with %s is refused and leaves no reader behind', async (_what, headers, status) => {
  for (let i = 0; i < 5; i++) {
    expect(await handshake(headers)).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
  }
  await eventually(() => live.size === 0, 'no subscription is left')
})

test('clients that close, and clients that vanish, are forgotten', async () => {
  const closing = await Promise.all([listen(), listen('/ws/tasks')])
  const vanishing = await Promise.all([listen(), listen('/ws/tasks')])
  expect(live.size).toBe(4)
  for (const { socket } of closing) socket.close()
  for (const { socket } of vanishing) socket.terminate()
  await eventually(() => live.size === 0, 'no subscription is left')
})
