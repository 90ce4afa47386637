import type { RequestListener } from 'node:http'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../support/app.ts'
import { eventually } from '../support/eventually.ts'
import { recordedTodos, startUpstream, type Upstream } from '../support/upstream.ts'

let app: TestApp
let upstream: Upstream
beforeAll(async () => {
  upstream = await startUpstream()
  const url = upstream.url.replace('http://', 'http://reader:secret@').concat('?api_key=geheim&page=1')
  app = await startTestApp({ TODO_SOURCE_URL: url })
})
afterAll(async () => {
  await app[Symbol.asyncDispose]()
  await upstream[Symbol.asyncDispose]()
})

const generate = () => app.fetch('/task-generator/run', { method: 'POST' })
const newestRun = async () => (await app.fetch('/importers/todos/runs?limit=1')).body[0]
const written = () =>
  app.database.rows(
    `SELECT id, version FROM tasks UNION ALL SELECT count(*), 0 FROM imported_todos ORDER BY 1`,
  )

test('before the first run an importer has no last_run', async () => {
  const { status, body } = await app.fetch('/importers')
  expect(status).toBe(200)
  expect(body).toEqual([
    {
      name: 'todos',
      source: `${upstream.url}?api_key=***&page=1`,
      interval_seconds: 300,
      state: 'idle',
      next_run_at: null,
      last_run: null,
    },
    {
      name: 'currencies',
      source: 'http://127.0.0.1:1/rates',
      interval_seconds: 3600,
      state: 'idle',
      next_run_at: null,
      last_run: null,
    },
  ])
  expect((await app.fetch('/importers/todos/runs')).body).toEqual([])
})

const send = (body: string | Buffer, headers: Record<string, string> = {}, status = 200): RequestListener => {
  return (_request, response) => response.writeHead(status, headers).end(body)
}
const redirect = (location: string) => send('', { location }, 302)
const oneBad = JSON.stringify([...recordedTodos, { userId: 1, id: 21, title: 'no completed' }])
const repeated = JSON.stringify([...recordedTodos, recordedTodos[0]])
const json = JSON.stringify(recordedTodos)

const faults: [string, RequestListener, RegExp][] = [
  ['an answer that is cut off', cut, /closed|terminated|aborted|length/i],
  ['a connection that is dropped', (request) => request.socket.destroy(), /closed|reset|hang up/i],
  ['what is no HTTP', (request) => request.socket.end('SSH-2.0-OpenSSH\r\n'), /parse|HTTP|expected|closed/i],
  ['an empty answer', send(''), /^the response is empty$/],
  ['HTML with 200', send('<!doctype html>', { 'content-type': 'text/html' }), /^the response is not JSON$/],
  ['HTML with 500', send('<h1>Oops</h1>', {}, 500), /^status 500 instead of 200$/],
  ['a good list with 404', send(json, {}, 404), /^status 404 instead of 200$/],
  ['204', send('', {}, 204), /^status 204 instead of 200$/],
  [
    'a redirect to cloud metadata',
    redirect('http://169.254.169.254/latest/'),
    /169\.254\.169\.254 is not an address/,
  ],
  ['one to it as IPv6', redirect('http://[::ffff:169.254.169.254]/'), /is not an address that may be called/],
  ['a redirect to a file', redirect('file:///etc/passwd'), /^redirected to file:, which is not http/],
  ['a redirect to itself', redirect('/todos'), /^more than 5 redirects$/],
  ['a redirect to nowhere', send('', {}, 302), /^status 302 without a usable Location$/],
  [
    '16 MiB by its header',
    (_, response) => response.writeHead(200, { 'content-length': 2 ** 30 }).flushHeaders(),
    /^more than 16777216 bytes$/,
  ],
  ['16 MiB without a header', endless, /^more than 16777216 bytes$/],
  [
    'a gzip bomb',
    send(gzipSync(Buffer.alloc(64 * 2 ** 20)), { 'content-encoding': 'gzip' }),
    /^the response is not JSON$/,
  ],
  ['one bad item among good ones', send(oneBad), /^item 20 of the response has no valid "completed"$/],
  ['an id that stands twice', send(repeated), /^the id 1 appears twice in the response$/],
]

function cut(...[request, response]: Parameters<RequestListener>): void {
  response.writeHead(200, { 'content-length': json.length })
  response.write(json.slice(0, 100), () => request.socket.destroy())
}

function endless(...[request, response]: Parameters<RequestListener>): void {
  const chunk = Buffer.alloc(1024 * 1024, ' ')
  const more = () => {
    if (!request.socket.destroyed) response.write(chunk, more)
  }
  more()
}

test.each(faults)(
  '%s makes a run fail with its reason and changes nothing else',
  async (_what, listener, reason) => {
    const before = await written()
    upstream.answer(listener)
    const { status, headers, body } = await generate()
    expect(status).toBe(502)
    expect(headers.get('content-type')).toMatch(/^application\/problem\+json/)
    const run = await newestRun()
    expect(run).toMatchObject({
      importer: 'todos',
      trigger: 'manual',
      state: 'failed',
      created_count: 0,
      updated_count: 0,
      skipped_count: 0,
      error: expect.stringMatching(reason),
    })
    expect(body).toMatchObject({ status: 502, title: 'Bad Gateway', instance: '/task-generator/run' })
    expect(body.detail).toBe(`Run ${run.run_id} of "todos" failed: ${run.error}.`)
    const [published] = await app.database.rows('SELECT type, data FROM events ORDER BY id DESC LIMIT 1')
    const data = { importer: 'todos', run_id: run.run_id, error: run.error }
    expect(published).toEqual({ type: 'background_task_failed', data })
    expect(await written()).toEqual(before)
    expect((await app.fetch('/health')).body).toEqual({ status: 'healthy' })
    expect(JSON.stringify([body, run])).not.toContain('secret')
  },
)

test('the run after failed runs works and responds as the contract specifies', async () => {
  upstream.answer(recordedTodos)
  const { status, body } = await generate()
  expect(status).toBe(200)
  const { run_id } = await newestRun()
  expect(body).toEqual({
    message: 'Background task executed successfully',
    tasks_created: 20,
    tasks_updated: 0,
    tasks_skipped: 0,
    run_id,
  })
  expect((await generate()).body).toMatchObject({ tasks_created: 0, tasks_updated: 0, tasks_skipped: 20 })
  const { body: tasks } = await app.fetch('/tasks')
  expect(tasks).toHaveLength(20)
  expect(tasks[3]).toMatchObject({
    title: 'et porro tempora',
    description: 'From external API: User 1',
    source: 'jsonplaceholder',
    status: 'done',
    completed: true,
    user_id: null,
  })
})

test('edits and deletions over REST survive changes at the source', async () => {
  const { body: tasks } = await app.fetch('/tasks?limit=3')
  await app.send('PATCH', `/tasks/${tasks[0].id}`, { title: 'Mine' })
  await app.fetch(`/tasks/${tasks[1].id}`, { method: 'DELETE' })
  upstream.answer(
    recordedTodos.map((todo) => ({ ...todo, title: `New ${todo.id}`, completed: !todo.completed })),
  )
  const { body } = await app.fetch('/importers/todos/run', { method: 'POST' })
  expect(body).toMatchObject({ state: 'succeeded', created_count: 0, updated_count: 19, skipped_count: 1 })
  expect(body).toEqual(await newestRun())
  expect((await app.fetch(`/tasks/${tasks[0].id}`)).body).toMatchObject({ title: 'Mine', completed: true })
  expect((await app.fetch(`/tasks/${tasks[1].id}`)).status).toBe(404)
  expect((await app.fetch(`/tasks/${tasks[2].id}`)).body).toMatchObject({ title: 'New 3', completed: true })
})

test('a redirect within the private source is followed', async () => {
  upstream.answer((request, response) => {
    if (request.url === '/todos') response.writeHead(307, { location: '/moved' }).end()
    else response.end('[]')
  })
  expect((await generate()).status).toBe(200)
})

test('the history is newest first and limited, with times in microseconds', async () => {
  const { body: all } = await app.fetch('/importers/todos/runs')
  const ids = all.map(({ run_id }: { run_id: number }) => run_id)
  expect(ids).toEqual([...ids].sort((a, b) => b - a))
  expect((await app.fetch('/importers/todos/runs?limit=2')).body).toEqual(all.slice(0, 2))
  expect(all[0].finished_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
  expect((await app.fetch('/importers')).body[0]).toMatchObject({ state: 'idle', last_run: all[0] })
  for (const limit of ['0', '1001', 'x']) {
    expect((await app.fetch(`/importers/todos/runs?limit=${limit}`)).status).toBe(422)
  }
})

test.each([
  ['GET', '/importers/nobody/runs'],
  ['POST', '/importers/nobody/run'],
  ['GET', '/importers/__proto__/runs'],
])('%s %s is 404', async (method, path) => {
  const { status, body } = await app.fetch(path, { method })
  expect(status).toBe(404)
  expect(body.title).toBe('Not Found')
})

test('a hanging source fails after 10 s; meanwhile the server serves and reports the run', async () => {
  upstream.answer((_request, response) => response.writeHead(200).flushHeaders())
  const started = performance.now()
  const failing = generate()
  await eventually(async () => (await newestRun()).state === 'running', 'the run has started')
  expect((await app.fetch('/importers')).body[0].state).toBe('running')
  expect((await app.send('POST', '/tasks', { title: 'Meanwhile' })).status).toBe(201)
  expect((await app.fetch('/health')).status).toBe(200)
  const { status, body } = await failing
  expect(status).toBe(502)
  expect(body.detail).toMatch(/no complete answer within 10 s/)
  expect(performance.now() - started).toBeLessThan(12_000)
})
