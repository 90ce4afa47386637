import { once } from 'node:events'
import { afterEach, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { startTestApp, type TestApp } from '../support/app.ts'
import { rawClient } from '../support/event-harness.ts'
import { eventually } from '../support/eventually.ts'

const open: WebSocket[] = []
afterEach(() => {
  for (const socket of open.splice(0)) socket.terminate()
})

async function listen(app: TestApp, onMessage: (event: Record<string, unknown>) => void): Promise<WebSocket> {
  const socket = new WebSocket(`${app.url.replace('http', 'ws')}/ws`)
  open.push(socket)
  socket.on('message', (data) => onMessage(JSON.parse(String(data))))
  await once(socket, 'open')
  return socket
}

test('STATUS_LABELS=title renders titles in events as in answers', async () => {
  await using app = await startTestApp({ STATUS_LABELS: 'title' })
  const events: Record<string, unknown>[] = []
  await listen(app, (event) => events.push(event))
  const { body: task } = await app.send('POST', '/tasks', { title: 'T', status: 'in progress' })
  const { body: patched } = await app.send('PATCH', `/tasks/${task.id}`, { completed: true })
  await eventually(() => events.length === 2, 'two events')
  expect(task.status).toBe('In Progress')
  expect(patched.status).toBe('Completed')
  expect(events.map(({ data }) => data)).toEqual([{ task }, { task: patched }])
})

test('a shutdown says 1001, also to those who connect again at once, and is not held up by one who never answers', async () => {
  const app = await startTestApp()
  const codes: number[] = []
  const stubborn = await listen(app, () => {})
  stubborn.pause()
  const again = async () => {
    const socket = await listen(app, () => {})
    socket.once('close', (code) => {
      codes.push(code)
      if (codes.length < 3) again().catch(() => codes.push(0))
    })
  }
  await again()
  const started = performance.now()
  await app[Symbol.asyncDispose]()
  expect(performance.now() - started).toBeLessThan(5_000)
  await eventually(() => codes.length > 0, 'the close of the one that connects again')
  expect(codes[0]).toBe(1001)
})

test('the loss of all database connections closes no socket and loses no acknowledged change', async () => {
  await using app = await startTestApp()
  await using killer = await rawClient(app.database.url)
  const heard = new Set<number>()
  const ids: number[] = []
  const socket = await listen(app, ({ id, data }) => {
    ids.push(Number(id))
    heard.add((data as { task: { id: number } }).task.id)
  })
  const acknowledged: number[] = []
  for (let round = 0; round < 5; round++) {
    await killer.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND pid <> pg_backend_pid()`,
    )
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => app.send('POST', '/tasks', { title: 'Kept' })),
    )
    for (const { status, body } of answers) {
      expect([201, 503]).toContain(status)
      if (status === 201) acknowledged.push(body.id)
    }
  }
  expect(acknowledged.length).toBeGreaterThan(0)
  await eventually(() => acknowledged.every((id) => heard.has(id)), 'all acknowledged tasks')
  expect(ids).toEqual([...new Set(ids)].sort((a, b) => a - b))
  expect(socket.readyState).toBe(WebSocket.OPEN)
})
