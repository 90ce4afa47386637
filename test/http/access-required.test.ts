import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../support/app.ts'
import { isPublic, operations, raw, upgrade } from '../support/raw-request.ts'

let required: TestApp
beforeAll(async () => {
  required = await startTestApp({ AUTH_MODE: 'required', CORS_ORIGINS: 'https://app.example.com' })
})
afterAll(() => required[Symbol.asyncDispose]())

test('every operation but the public ones is 401 with WWW-Authenticate, with and without a token', async () => {
  const all = await operations(required)
  expect(all.length).toBeGreaterThanOrEqual(15)
  for (const [method, path] of all) {
    for (const headers of [{}, { authorization: 'Bearer x' }, { authorization: 'Basic Og==' }]) {
      for (const variant of [path, `${path}/`, `${path}?token=x`]) {
        const answer = await required.fetch(variant, { method, headers })
        if (isPublic(path)) {
          expect([answer.status, path]).toEqual([200, path])
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
  expect(await required.database.rows('SELECT FROM tasks')).toEqual([])
})

test('a wrong body, id or query, an unknown path and another method tell a stranger nothing more than 401', async () => {
  expect((await required.send('POST', '/tasks', { wrong: 1 })).status).toBe(401)
  expect((await required.fetch('/tasks/abc')).status).toBe(401)
  expect((await required.fetch('/tasks?limit=0')).status).toBe(401)
  expect((await required.fetch('/tasks/1', { method: 'POST' })).status).toBe(401)
  expect((await required.fetch('/nowhere')).status).toBe(401)
})

test('the documents and the root are public', async () => {
  for (const path of [
    '/',
    '/docs',
    '/docs/',
    '/swagger',
    '/redoc',
    '/openapi.json',
    '/health/',
    '/health/ready',
  ]) {
    expect([200, 301, 302]).toContain((await required.fetch(path)).status)
  }
})

test.each([
  '/docs/../tasks',
  '/docs/..%2ftasks',
  '/healthx',
  '/health/../tasks',
  '//tasks',
  '/openapi.json/../tasks',
])('no token is got around by %s', async (path) => {
  const { status, body } = await raw(required, 'GET', path, {})
  expect([401, 403, 404]).toContain(status)
  expect(JSON.parse(body)).toMatchObject({ status })
})

test('WebSockets are refused', async () => {
  expect(await upgrade(required, '/ws/tasks', {})).toBe(401)
  expect(await upgrade(required, '/ws', { authorization: 'Bearer x' })).toBe(401)
})

test('a preflight needs no token, since it cannot have one', async () => {
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
