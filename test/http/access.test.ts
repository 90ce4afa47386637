import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../support/app.ts'
import { isPublic, operations, raw, upgrade } from '../support/raw-request.ts'

let open: TestApp
beforeAll(async () => {
  // AUTH_MODE is auto, and the address a loopback one.
  const settings = {
    CORS_ORIGINS: 'https://app.example.com',
    ALLOWED_HOSTS: 'Tasks.example.com, 192.168.1.5',
  }
  open = await startTestApp(settings)
})
afterAll(() => open[Symbol.asyncDispose]())
/** What is sent along there as a token is of no importance; without a body they are 422. */
const forStrangers = /^\/auth\/(register|login|refresh|setup)$/
const json = { 'content-type': 'application/json' }

test('every caller is the operator, and their tasks have no owner', async () => {
  expect(await open.send('POST', '/tasks', { title: 'x' })).toMatchObject({
    status: 201,
    body: { user_id: null },
  })
  expect((await open.fetch('/tasks')).status).toBe(200)
})

test.each(['Bearer x', 'Bearer ', 'bearer eyJhbGciOiJub25lIn0.e30.', 'Basic YTpi', 'x', ''])(
  'the Authorization header "%s" is 401, never a fall back to anonymous',
  async (authorization) => {
    for (const [method, path] of await operations(open)) {
      if (isPublic(path)) continue
      const answer = await open.fetch(path, { method, headers: { authorization } })
      if (forStrangers.test(path)) {
        expect([answer.status, path]).toEqual([422, path])
        continue
      }
      expect([answer.status, method, path]).toEqual([401, method, path])
      expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer/)
    }
    expect(await upgrade(open, '/ws/tasks', { authorization })).toBe(401)
  },
)

test.each([
  'localhost',
  'localhost:1',
  'LOCALHOST:8000',
  '127.0.0.1',
  '127.0.0.1:8000',
  '127.9.9.9',
  '[::1]',
  '[::1]:8000',
  'tasks.example.com',
  'TASKS.example.com:443',
  '192.168.1.5:8000',
])('the Host %s is served', async (host) => {
  expect((await raw(open, 'GET', '/tasks', { host })).status).toBe(200)
})

test.each([
  'evil.example',
  'evil.example:8000',
  'localhost.evil.example',
  '127.0.0.1.evil.example',
  'evil.example:localhost',
  'localhost@evil.example',
  '10.0.0.1',
  '0.0.0.0',
  '[::]',
  '[::2]',
  'xtasks.example.com',
  'example.com',
  ' ',
])('the Host "%s" is 403 for reads, writes and documents (DNS rebinding)', async (host) => {
  for (const [method, path] of [
    ['GET', '/tasks'],
    ['POST', '/tasks'],
    ['GET', '/health'],
    ['GET', '/openapi.json'],
    ['OPTIONS', '/tasks'],
    ['GET', '/nowhere'],
  ] as const) {
    const { status, body } = await raw(open, method, path, { ...json, host })
    expect([status, method, path]).toEqual([403, method, path])
    expect(JSON.parse(body)).toMatchObject({ status: 403, title: 'Forbidden' })
  }
  expect(await upgrade(open, '/ws/tasks', { host })).toBe(403)
})

const foreign = [
  'https://evil.example',
  'null',
  'http://localhost:1',
  'https://app.example.com.evil.example',
  'https://app.example.com:444',
  'http://app.example.com',
  'file://',
  '',
  'https://app.example.com, https://evil.example',
]
test.each(foreign)('the Origin "%s" may not write nor open a WebSocket', async (origin) => {
  const before = await open.database.rows('SELECT count(*), sum(version) FROM tasks')
  for (const [method, path] of await operations(open)) {
    if (method === 'GET') continue
    const { status, body, headers } = await raw(open, method, path, { ...json, origin })
    expect([status, method, path]).toEqual([403, method, path])
    expect(JSON.parse(body)).toMatchObject({ status: 403 })
    expect(headers['access-control-allow-origin']).toBeUndefined()
  }
  for (const path of ['/ws', '/ws/tasks']) expect(await upgrade(open, path, { origin })).toBe(403)
  expect(await open.database.rows('SELECT count(*), sum(version) FROM tasks')).toEqual(before)
})

test.each(foreign)('the Origin "%s" may GET, but no page of it gets to read the answer', async (origin) => {
  const { status, headers } = await raw(open, 'GET', '/tasks', { origin })
  expect(status).toBe(200)
  expect(headers['access-control-allow-origin']).toBeUndefined()
  expect(headers.vary).toMatch(/origin/i)
})

test('a page of this server may do everything', async () => {
  const host = new URL(open.url).host
  for (const origin of [`http://${host}`, `https://${host}`]) {
    expect((await raw(open, 'POST', '/tasks', { ...json, host, origin })).status).toBe(201)
    expect(await upgrade(open, '/ws/tasks', { origin, host })).toBe('open')
  }
  const named = { ...json, host: 'tasks.example.com', origin: 'https://tasks.example.com' }
  expect((await raw(open, 'POST', '/tasks', named)).status).toBe(201)
})

test('a page of a listed origin may do everything and read the answers', async () => {
  const origin = 'https://app.example.com'
  for (const [method, status] of [
    ['GET', 200],
    ['POST', 201],
  ] as const) {
    const answer = await raw(open, method, '/tasks', { ...json, origin })
    expect(answer.status).toBe(status)
    expect(answer.headers['access-control-allow-origin']).toBe(origin)
    expect(answer.headers['access-control-expose-headers']).toMatch(/x-total-count/)
    expect(answer.headers['access-control-expose-headers']).toMatch(/etag/)
  }
  expect(await upgrade(open, '/ws/tasks', { origin })).toBe('open')
  const preflight = await raw(open, 'OPTIONS', '/tasks/1', {
    origin,
    'access-control-request-method': 'PATCH',
    'access-control-request-headers': 'content-type,if-match',
  })
  expect(preflight.status).toBe(204)
  expect(preflight.headers['access-control-allow-origin']).toBe(origin)
  expect(preflight.headers['access-control-allow-methods']).toMatch(/PATCH.*|DELETE/)
  expect(preflight.headers['access-control-allow-headers']).toMatch(/\bcontent-type\b.*\bif-match\b/)
})

test('a preflight of a foreign origin is not granted', async () => {
  const { headers } = await raw(open, 'OPTIONS', '/tasks', {
    origin: 'https://evil.example',
    'access-control-request-method': 'POST',
  })
  expect(headers['access-control-allow-origin']).toBeUndefined()
})

test('OPTIONS without a preflight lists the methods, with and without CORS', async () => {
  const { status, headers } = await raw(open, 'OPTIONS', '/tasks', {})
  expect(status).toBe(204)
  expect(headers.allow).toBe('GET, HEAD, OPTIONS, POST')
  expect((await raw(open, 'OPTIONS', '/nowhere', {})).status).toBe(404)
})
