import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../support/app.ts'
import { raw } from '../support/raw-request.ts'

const origin = 'https://app.example.com'
let app: TestApp
let unshared: TestApp
beforeAll(async () => {
  app = await startTestApp({ CORS_ORIGINS: `https://other.example.com, ${origin}` })
  unshared = await startTestApp()
})
afterAll(async () => {
  await app[Symbol.asyncDispose]()
  await unshared[Symbol.asyncDispose]()
})

const preflight = (from: string, server = app, path = '/tasks/1') =>
  raw(server, 'OPTIONS', path, { origin: from, 'access-control-request-method': 'PATCH' })
const names = (list: string | undefined) => list?.split(', ').toSorted()
const grants = (headers: object) => Object.keys(headers).filter((name) => name.startsWith('access-control-'))

test('a page of a listed origin may send every header and method of the API', async () => {
  const { status, headers, body } = await preflight(origin)
  expect([status, body]).toEqual([204, ''])
  expect(headers['access-control-allow-origin']).toBe(origin)
  expect(headers.vary).toMatch(/\borigin\b/i)
  expect(names(headers['access-control-allow-methods'])).toEqual([
    'DELETE',
    'GET',
    'HEAD',
    'PATCH',
    'POST',
    'PUT',
  ])
  expect(names(headers['access-control-allow-headers'])).toEqual([
    'authorization',
    'content-digest',
    'content-type',
    'idempotency-key',
    'if-match',
    'if-none-match',
    'if-range',
    'last-event-id',
    'range',
    'x-request-id',
  ])
  expect(Number(headers['access-control-max-age'])).toBeGreaterThan(0)
})

test.each(['/tasks', '/tasks/999', '/nowhere', '/tasks?limit=x'])(
  'it may read the headers of %s, whatever the answer',
  async (path) => {
    const { headers } = await raw(app, 'GET', path, { origin })
    expect(headers['access-control-allow-origin']).toBe(origin)
    expect(names(headers['access-control-expose-headers'])).toEqual([
      'accept-ranges',
      'content-disposition',
      'content-range',
      'etag',
      'idempotency-replayed',
      'link',
      'location',
      'ratelimit',
      'ratelimit-policy',
      'repr-digest',
      'retry-after',
      'x-request-id',
      'x-total-count',
      'x-total-count-exact',
    ])
  },
)

test('credentials mode is off', async () => {
  const answers = [await preflight(origin), await raw(app, 'GET', '/tasks', { origin })]
  for (const { headers } of answers) {
    expect(headers).not.toHaveProperty('access-control-allow-credentials')
    expect(headers).not.toHaveProperty('set-cookie')
  }
})

test.each([
  'https://evil.example',
  'http://app.example.com',
  'https://app.example.com:8443',
  'https://app.example.com.evil.example',
  'https://xapp.example.com',
  'null',
])('a page of %s is not allowed', async (from) => {
  const refused = await preflight(from)
  expect(refused.headers['access-control-allow-origin']).toBeUndefined()
  const read = await raw(app, 'GET', '/tasks', { origin: from })
  expect(read.headers['access-control-allow-origin']).toBeUndefined()
  expect(read.headers.vary).toMatch(/\borigin\b/i)
})

test('without CORS_ORIGINS no origin is allowed', async () => {
  for (const { headers } of [
    await preflight(origin, unshared),
    await raw(unshared, 'GET', '/tasks', { origin }),
  ]) {
    expect(grants(headers)).toEqual([])
  }
})
