import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { startTestApp, type TestApp } from '../support/app.ts'
import { expectProblem } from '../support/problem.ts'

let app: TestApp
let port: number
beforeAll(async () => {
  app = await startTestApp()
  port = Number(new URL(app.url).port)
  await app.send('POST', '/tasks', { title: 'Bystander' })
})
afterAll(() => app[Symbol.asyncDispose]())
// Whatever a test sends, nothing was written, and the server neither failed nor stopped answering.
afterEach(async () => {
  const rows = await app.database.rows('SELECT id, title, version FROM tasks ORDER BY id')
  expect(rows[0]).toEqual({ id: 1, title: 'Bystander', version: 1 })
  expect(rows).toHaveLength(1)
  expect((await app.fetch('/health')).body).toEqual({ status: 'healthy' })
  expect(app.logged.filter(({ level }) => Number(level) >= 40)).toEqual([])
})

const wrongIds = [
  '0',
  '-1',
  '2147483648',
  '99999999999999999999',
  'abc',
  '1e3',
  '0x10',
  '1.0',
  '+1',
  '%00',
  '1%00',
  '%F0%9F%98%80',
  '%20',
  '1%20',
  "1'--",
  'null',
  '__proto__',
  '٣',
]
test.each(wrongIds)('the id %s is 422 on every route', async (id) => {
  for (const method of ['GET', 'PATCH', 'PUT', 'DELETE']) {
    const body = method.startsWith('P') ? { title: 'x' } : undefined
    expectProblem(await app.send(method, `/tasks/${id}`, body), 422)
  }
  const answer = await app.fetch(`/tasks/${id}/restore`, { method: 'POST' })
  expectProblem(answer, 422)
  expect(answer.body.errors[0].path).toBe('path.id')
})

test.each(['%', '%zz', '%c3%28', '%ff', '%u0031', '%e0%80%80'])(
  'the path /tasks/%s is not one: 400',
  async (id) => {
    expectProblem(await app.fetch(`/tasks/${id}`), 400)
    expectProblem(await app.fetch(`/${id}`), 400)
  },
)

test('a query of invalid percent-encodings gets a response below 500', async () => {
  for (const query of [
    '%',
    '%zz=1',
    'sort=%ff',
    'sort=%00',
    'status=%c3%28',
    '=',
    '&&&=&',
    'a[b]=1',
    'sort=%F0%9F',
  ]) {
    const answer = await app.fetch(`/tasks?${query}`)
    if (answer.status !== 200) expectProblem(answer, 422)
  }
})

test('very long paths, ids and queries are rejected', async () => {
  const long = '1'.repeat(5000)
  for (const path of [`/tasks/${long}`, `/${long}`, `/importers/${long}/runs`, `/tasks?sort=${long}`]) {
    const answer = await app.fetch(path)
    expect([404, 414, 422]).toContain(answer.status)
    expectProblem(answer, answer.status)
  }
  const many = Array.from({ length: 1000 }, () => 'status=todo').join('&')
  expectProblem(await app.fetch(`/tasks?${many}`), 422)
})

test.each(['/tasks?limit=1&page=2', '/tasks?Limit=1', '/importers/todos/runs?offset=1'])(
  'the unknown query parameter of %s answers 422',
  async (path) => {
    const answer = await app.fetch(path)
    expectProblem(answer, 422)
    expect(answer.body.errors[0].message).toMatch(/^is not a known field(; did you mean limit\?)?$/)
  },
)

/** Sends bytes as they are and reads the answer to its end. */
async function raw(bytes: string | Buffer): Promise<{ status: number; body: unknown; head: string }> {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  socket.write(bytes)
  const answer = await text(socket)
  const [head = '', body = ''] = answer.split('\r\n\r\n')
  return { status: Number(head.split(' ')[1]), body: body && JSON.parse(body), head }
}
const host = 'Host: localhost\r\n'

test.each<[string, string, number]>([
  ['no HTTP at all', 'HELLO\r\n\r\n', 400],
  ['a TLS greeting', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400],
  ['an unknown method', `BREW /tasks HTTP/1.1\r\n${host}\r\n`, 400],
  ['a wrong version', `GET /tasks HTTP/9.9\r\n${host}\r\n`, 400],
  ['a header without a colon', `GET /tasks HTTP/1.1\r\n${host}nonsense\r\n\r\n`, 400],
  ['a NUL in a header', `GET /tasks HTTP/1.1\r\n${host}X: a\0b\r\n\r\n`, 400],
  ['a blank in the path', `GET /ta sks HTTP/1.1\r\n${host}\r\n`, 400],
  ['two lengths', `POST /tasks HTTP/1.1\r\n${host}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}`, 400],
  ['a length that is no number', `POST /tasks HTTP/1.1\r\n${host}Content-Length: x\r\n\r\n{}`, 400],
  [
    'a length and chunks',
    `POST /tasks HTTP/1.1\r\n${host}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    400,
  ],
  [
    'a chunk of no size',
    `POST /tasks HTTP/1.1\r\n${host}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n`,
    400,
  ],
  ['no Host', 'GET /tasks HTTP/1.1\r\nConnection: close\r\n\r\n', 400],
  ['an endless header', `GET /tasks HTTP/1.1\r\n${host}X: ${'x'.repeat(100_000)}\r\n\r\n`, 431],
  ['an endless path', `GET /${'x'.repeat(100_000)} HTTP/1.1\r\n${host}\r\n`, 431],
])('%s on the wire is answered with a problem', async (_what, bytes, status) => {
  const answer = await raw(bytes)
  expect(answer.status).toBe(status)
  expect(answer.head).toMatch(/content-type: application\/problem\+json/i)
  expect(answer.body).toMatchObject({
    type: 'about:blank',
    status,
    title: expect.any(String),
    detail: expect.any(String),
    instance: expect.any(String),
  })
})

test('an upgrade to a protocol other than WebSocket is ignored', async () => {
  const answer = await raw(
    `GET /tasks/1 HTTP/1.1\r\n${host}Connection: Upgrade, close\r\nUpgrade: h2c\r\n\r\n`,
  )
  expect(answer).toMatchObject({ status: 200, body: { title: 'Bystander' } })
})

test('an incomplete body creates no task', async () => {
  const head = `POST /tasks HTTP/1.1\r\n${host}Content-Type: application/json\r\n`
  const requests = [
    `${head}Transfer-Encoding: chunked\r\n\r\n10\r\n{"title":"half a`,
    `${head}Content-Length: 100\r\n\r\n{"title":"whole"}`,
  ]
  for (const request of requests) {
    const before = app.logged.length
    const socket: Socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    socket.write(request)
    await vi.waitFor(() => expect(socket.bytesWritten).toBe(request.length))
    socket.end()
    const answer = await text(socket)
    if (answer !== '') expect(answer).toMatch(/^HTTP\/1.1 400 /)
    expect(app.logged.slice(before).filter(({ msg }) => msg === 'task created')).toEqual([])
  }
})
