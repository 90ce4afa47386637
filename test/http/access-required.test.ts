import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../support/app.ts'
import { isPublic, operations, raw, upgrade } from '../support/raw-request.ts'

let required: TestApp
beforeAll(async () => {
  required = await startTestApp({ AUTH_MODE: 'required', CORS_ORIGINS: 'https://app.example.com' })
})
afterAll(() => required[Symbol.asyncDispose]())

/** These routes need no token; without a body they answer 422. */
const forStrangers = /^\/auth\/(register|login|refresh|setup)$/

test('every operation but the public ones is 401 with WWW-Authenticate, with and without a token', async () => {
  const all = await operations(required)
  expect(all.length).toBeGreaterThanOrEqual(15)
  for (const [method, path] of all) {
    for (const headers of [{}, { authorization: 'Bearer x' }, { authorization: 'Basic Og==' }]) {
      for (const variant of [path, `${path}/`, `${path}?token=x`]) {
        const answer = await required.fetch(variant, { method, headers })
        if (isPublic(path)) {
          expect([answer.status, path]).toEqual([200, path])
        } else if (forStrangers.test(path)) {
          expect([answer.status, path]).toEqual([422, path])
        } else {
          expect([answer.status, method, variant]).toEqual([401, method, variant])
          expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer/)
          expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/)
          expect(answer.body).toMatchObject({
            status: 401,
            title: 'Unauthorized',
            instance: variant.split('?')[0],
          })
        }
      }
    }
  }
  for (const table of ['tasks', 'users', 'sessions', 'tickets']) {
    expect(await required.database.rows(`SELECT FROM ${table}`)).toEqual([])
  }
})

test('without a token, an invalid request, an unknown path and another method all answer 401', async () => {
  expect((await required.send('POST', '/tasks', { wrong: 1 })).status).toBe(401)
  expect((await required.fetch('/tasks/abc')).status).toBe(401)
  expect((await required.fetch('/tasks?limit=0')).status).toBe(401)
  expect((await required.fetch('/tasks/1', { method: 'POST' })).status).toBe(401)
  expect((await required.fetch('/nowhere')).status).toBe(401)
})

test('the documentation and the root are public', async () => {
  for (const path of [
    '/',
    '/docs',
    '/docs/',
    '/swagger',
    '/redoc',
    '/openapi.json',
    '/health/',
    '/health/ready',
    '/docs/static/swagger-ui.css',
    '/redoc/redoc.standalone.js',
  ]) {
    expect([200, 301, 302]).toContain((await required.fetch(path)).status)
  }
})

test('an unknown path of the docs and another method of a public path do not ask for a token', async () => {
  for (const path of ['/docs/nothing', '/swagger/nothing', '/redoc/nothing', '/docs/static/nothing'])
    expect([path, (await required.fetch(path)).status]).toEqual([path, 404])
  expect((await required.fetch('/docs/nothing', { method: 'POST' })).status).toBe(404)
  for (const path of ['/health', '/docs/static/swagger-ui.css', '/auth/login', '/'])
    expect([path, (await required.fetch(path, { method: 'PATCH' })).status]).toEqual([path, 405])
  for (const path of ['/health', '/tasks', '/tasks/1/'])
    expect([path, (await required.fetch(path, { method: 'OPTIONS' })).status]).toEqual([path, 204])
})

test.each([
  '/docs/../tasks',
  '/docs/..%2ftasks',
  '/healthx',
  '/health/../tasks',
  '//tasks',
  '/openapi.json/../tasks',
  '/auth/login/../me',
  '/auth/loginx',
  '/auth/register/me',
  '/AUTH/LOGIN/../../tasks',
  '/tasks?/auth/login',
  '/tasks#/auth/login',
  '/tasks;/auth/login',
])('%s does not bypass the token', async (path) => {
  const { status, body } = await raw(required, 'GET', path, {})
  expect([401, 403, 404]).toContain(status)
  expect(JSON.parse(body)).toMatchObject({ status })
})

test('a WebSocket opens without a token, but not with an invalid one', async () => {
  for (const path of ['/ws', '/ws/tasks', '/ws/']) {
    expect(await upgrade(required, path, {})).toBe('open')
    for (const authorization of ['Bearer x', 'Basic Og==', '']) {
      expect(await upgrade(required, path, { authorization })).toBe(401)
    }
  }
  expect(await upgrade(required, '/ws?token=x', {})).toBe(422)
  // An upgrade on a route without WebSockets does not bypass the token.
  const all = await operations(required)
  const others = all.filter(
    ([method, path]) => method === 'GET' && !isPublic(path) && !path.startsWith('/ws'),
  )
  expect(others.length).toBeGreaterThan(5)
  for (const path of [...others.map(([, path]) => path), '/tasks/abc', '/wsx', '/ws/nowhere', '/nowhere']) {
    expect([path, await upgrade(required, path, {})]).toEqual([path, 401])
  }
})

test('a preflight needs no token', async () => {
  const { status, headers } = await raw(required, 'OPTIONS', '/tasks', {
    origin: 'https://app.example.com',
    'access-control-request-method': 'POST',
  })
  expect(status).toBe(204)
  expect(headers['access-control-allow-origin']).toBe('https://app.example.com')
})

test('a page of a listed origin may read the 401', async () => {
  const { status, headers } = await raw(required, 'GET', '/tasks', { origin: 'https://app.example.com' })
  expect(status).toBe(401)
  expect(headers['access-control-allow-origin']).toBe('https://app.example.com')
})
