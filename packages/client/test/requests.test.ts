import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { expect, onTestFinished, test, vi } from 'vitest'
import { createClient, TaskwireError } from '../src/index.ts'
import {
  cut,
  json,
  problem,
  type Reply,
  type ScriptedServer,
  scriptedServer,
  silence,
} from './support/scripted-server.ts'

const task = { id: 1, title: 'x', version: 1 }

async function serverOf(...replies: Reply[]): Promise<ScriptedServer> {
  const server = await scriptedServer(...replies)
  onTestFinished(() => server[Symbol.asyncDispose]())
  return server
}

/** The error that a promise rejects with. */
const errorOf = (promise: Promise<unknown>): Promise<TaskwireError> =>
  promise.then(
    () => expect.fail('it succeeded'),
    (error) => error,
  )

test('a write without an answer is sent again with the same key and the same body', async () => {
  const busy = problem(409, 'A request with this Idempotency-Key is still running.', { 'retry-after': '1' })
  const server = await serverOf(cut, problem(503, 'no database'), busy, json(201, task))
  const { tasks } = createClient({ url: server.url, token: 'tw_x' })
  expect(await tasks.create({ title: 'x' })).toEqual(task)
  expect(server.asked.map(({ method, url, body }) => [method, url, body])).toEqual(
    Array(4).fill(['POST', '/tasks', '{"title":"x"}']),
  )
  const keys = new Set(server.asked.map(({ headers }) => headers['idempotency-key']))
  expect([keys.size, [...keys][0]]).toEqual([1, expect.stringMatching(/^[0-9a-f]{32}$/)])
  expect(server.asked[0]!.headers).toMatchObject({
    authorization: 'Bearer tw_x',
    'content-type': 'application/json',
  })
  await tasks.create({ title: 'x' })
  expect(keys).not.toContain(server.asked.at(-1)!.headers['idempotency-key'])
})

test('every write of tasks has a key, of the caller where they give one', async () => {
  const server = await serverOf(json(200, task))
  const { tasks } = createClient({ url: `${server.url}/`, token: undefined })
  await tasks.update(1, { title: 'y' }, { ifMatch: 3 })
  await tasks.replace(1, { title: 'y' }, { ifMatch: '"4"' })
  await tasks.delete(1)
  await tasks.restore(1, { idempotencyKey: 'mine' })
  expect(server.asked.map(({ method, url, headers }) => [method, url, headers['if-match']])).toEqual([
    ['PATCH', '/tasks/1', '"3"'],
    ['PUT', '/tasks/1', '"4"'],
    ['DELETE', '/tasks/1', undefined],
    ['POST', '/tasks/1/restore', undefined],
  ])
  expect(server.asked.map(({ headers }) => headers['idempotency-key']!.length)).toEqual([32, 32, 32, 4])
  expect(server.asked[0]!.headers).not.toHaveProperty('authorization')
})

test('keys are made where randomUUID is missing, as in pages that came by HTTP', async () => {
  const server = await serverOf(json(201, task))
  vi.stubGlobal('crypto', { getRandomValues: crypto.getRandomValues.bind(crypto) })
  onTestFinished(() => void vi.unstubAllGlobals())
  await createClient({ url: server.url }).tasks.create({ title: 'x' })
  expect(server.asked[0]!.headers['idempotency-key']).toHaveLength(32)
})

test('what the server may have done, and has no key for, is sent once', async () => {
  for (const reply of [cut, problem(503, 'no database'), problem(502, 'upstream')]) {
    const server = await serverOf(reply, json(200, {}))
    const { request } = createClient({ url: server.url })
    const error = await errorOf(request('POST /importers/{name}/run', { path: { name: 'todos' } }))
    expect(error).toBeInstanceOf(TaskwireError)
    expect(server.asked.length).toBe(1)
  }
})

test('429 comes again when the server says, whatever the request', async () => {
  const server = await serverOf(problem(429, 'too many', { 'retry-after': '1' }), json(200, {}))
  const { request } = createClient({ url: server.url })
  const began = performance.now()
  const { status } = await request('POST /importers/{name}/run', { path: { name: 'todos' } })
  expect([status, server.asked.length]).toEqual([200, 2])
  expect(performance.now() - began).toBeGreaterThan(990)
})

test('a Retry-After beyond a minute is the caller’s to decide', async () => {
  const server = await serverOf(
    problem(429, 'Come tomorrow.', { 'retry-after': '86400', 'x-request-id': 'r-7' }),
  )
  const error = await errorOf(createClient({ url: server.url }).tasks.list())
  expect(error).toMatchObject({
    name: 'TaskwireError',
    message: 'Come tomorrow.',
    status: 429,
    requestId: 'r-7',
    retryAfterMs: 3_600_000,
    problem: { detail: 'Come tomorrow.', status: 429 },
  })
  expect(server.asked.length).toBe(1)
})

test('it gives up after so many retries, with the last reason', async () => {
  const server = await serverOf(cut, problem(503, 'The database is not available.'))
  const error = await errorOf(createClient({ url: server.url, retries: 2 }).tasks.get(1))
  expect([error.status, error.message, server.asked.length]).toEqual([
    503,
    'The database is not available.',
    3,
  ])
})

test('no server: the error says why', async () => {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as AddressInfo
  await new Promise((resolve) => probe.close(resolve))
  const error = await errorOf(createClient({ url: `http://127.0.0.1:${port}`, retries: 1 }).tasks.list())
  expect(error).toMatchObject({
    name: 'TaskwireError',
    status: 0,
    problem: undefined,
    cause: expect.objectContaining({ code: 'ECONNREFUSED' }),
  })
  expect(error.message).toMatch(/^No answer: .*ECONNREFUSED/)
})

test('an answer that is cut off is as good as none', async () => {
  const half: Reply = (response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': '100' })
    response.write('[{"id"', () => response.destroy())
  }
  const server = await serverOf(half, json(200, [task]))
  expect(await createClient({ url: server.url }).tasks.list()).toEqual([task])
  expect(server.asked.length).toBe(2)
})

test('an answer that does not come in time, or does not end', async () => {
  const endless: Reply = (response) =>
    void response.writeHead(200, { 'content-type': 'application/json' }).write('[')
  const server = await serverOf(silence, endless)
  const error = await errorOf(createClient({ url: server.url, retries: 1, timeoutMs: 50 }).tasks.list())
  expect([error.name, error.status, error.message]).toEqual(['TaskwireError', 0, 'No answer within 0.05 s'])
  expect(server.asked.length).toBe(2)
  await vi.waitFor(() => expect(server.open).toBe(0))
})

test('a token function that hangs does not hold the request for ever', async () => {
  const client = createClient({ url: 'http://127.0.0.1:9', token: () => new Promise(() => {}), retries: 0 })
  expect((await errorOf(client.tasks.list(undefined, { timeoutMs: 20 }))).message).toBe(
    'No answer within 0.02 s',
  )
})

test('an abort ends a request, and a pause, at once and with its own reason', async () => {
  const server = await serverOf(silence)
  const ends = new AbortController()
  const asking = createClient({ url: server.url }).tasks.list(undefined, { signal: ends.signal })
  await vi.waitFor(() => expect(server.asked.length).toBe(1))
  ends.abort(new Error('enough'))
  await expect(asking).rejects.toThrow('enough')
  await expect(
    createClient({ url: server.url }).tasks.list(undefined, { signal: ends.signal }),
  ).rejects.toThrow('enough')
  expect(server.asked.length).toBe(1)

  const busy = await serverOf(problem(429, 'busy', { 'retry-after': '50' }))
  const again = new AbortController()
  const pausing = createClient({ url: busy.url }).tasks.list(undefined, { signal: again.signal })
  await vi.waitFor(() => expect(busy.asked.length).toBe(1))
  again.abort(new Error('enough'))
  await expect(pausing).rejects.toThrow('enough')
})

test('refusals that are no problem details have a status and what can be said', async () => {
  const html: Reply = (response) =>
    void response.writeHead(404, { 'content-type': 'text/html' }).end('<h1>nginx</h1>')
  const server = await serverOf(
    html,
    json(400, null),
    json(400, 'text'),
    json(400, { status: 'x', detail: 7 }),
  )
  const { tasks } = createClient({ url: server.url })
  for (const status of [404, 400, 400, 400]) {
    expect(await errorOf(tasks.get(1))).toMatchObject({
      status,
      message: `The server answered ${status}`,
      problem: undefined,
      requestId: undefined,
    })
  }
})

test('a success that is no JSON is said to be none', async () => {
  const page: Reply = (response) =>
    void response.writeHead(200, { 'content-type': 'application/json' }).end('<html>')
  const server = await serverOf(page)
  const error = await errorOf(createClient({ url: server.url }).tasks.list())
  expect([error.status, error.message, server.asked.length]).toEqual([200, 'The answer is not JSON', 1])
})

test('paths and queries are written so that they mean what was given', async () => {
  const server = await serverOf(json(200, []))
  const { request, tasks } = createClient({ url: server.url })
  await request('GET /importers/{name}/runs', { path: { name: 'a/b?c#d %' }, query: { limit: 3 } })
  await tasks.list({ status: ['todo', 'done'], completed: undefined, sort: '-created_at,id' })
  await tasks.list({ status: [] })
  expect(server.asked.map(({ url }) => url)).toEqual([
    '/importers/a%2Fb%3Fc%23d%20%25/runs?limit=3',
    '/tasks?status=todo&status=done&sort=-created_at%2Cid',
    '/tasks',
  ])
  for (const name of ['', '.', '..']) {
    await expect(request('GET /importers/{name}/runs', { path: { name } })).rejects.toThrow(TypeError)
  }
  expect(server.asked.length).toBe(3)
})

test('bodies that are no JSON go out as they are, and answers come back as what they are', async () => {
  const text: Reply = (response) => void response.writeHead(200, { 'content-type': 'text/plain' }).end('pong')
  const bytes: Reply = (response) => void response.writeHead(200, { 'content-type': 'image/png' }).end('png')
  const nothing: Reply = (response) => void response.writeHead(204).end()
  const server = await serverOf(text, bytes, nothing)
  const { request } = createClient({ url: server.url })
  const form = new URLSearchParams({ username: 'anna', password: 'x' })
  const answers = []
  for (let i = 0; i < 3; i++)
    answers.push((await request('POST /auth/login', { body: form })).data as unknown)
  expect(server.asked[0]).toMatchObject({
    headers: { 'content-type': 'application/x-www-form-urlencoded;charset=UTF-8' },
    body: 'username=anna&password=x',
  })
  expect(answers).toEqual(['pong', expect.any(Blob), undefined])
})

test('an answer has its headers', async () => {
  const server = await serverOf(json(200, [], { 'x-total-count': '42' }))
  const { headers, status, data } = await createClient({ url: server.url }).request('GET /tasks', {
    headers: { 'x-request-id': 'mine' },
  })
  expect([headers.get('x-total-count'), status, data]).toEqual(['42', 200, []])
  expect(server.asked[0]!.headers['x-request-id']).toBe('mine')
})

test('options that cannot be meant are refused at once', () => {
  for (const url of ['localhost:8000', 'ws://localhost:8000', 'ftp://x']) {
    expect(() => createClient({ url })).toThrow(TypeError)
  }
  const session = { load: () => undefined, save: () => {} }
  expect(() => createClient({ url: '', token: 'x', session })).toThrow(TypeError)
  for (const after of ['x', '', '-1', '1.5', Number.NaN, '9'.repeat(16)]) {
    expect(() => createClient({ url: '' }).events({ after })).toThrow(TypeError)
  }
})
