import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../support/app.ts'
import { raw } from '../support/raw-request.ts'

let app: TestApp
let proxied: TestApp
beforeAll(async () => {
  app = await startTestApp({ CORS_ORIGINS: 'https://app.example.com' })
  proxied = await startTestApp({ TRUST_PROXY: '127.0.0.1, ::1' })
})
afterAll(async () => {
  await app[Symbol.asyncDispose]()
  await proxied[Symbol.asyncDispose]()
})

const json = { 'content-type': 'application/json' }

test.each([
  ['GET', '/health', {}, 200],
  ['GET', '/tasks', {}, 200],
  ['POST', '/tasks', json, 201],
  ['OPTIONS', '/tasks', {}, 204],
  ['OPTIONS', '/tasks', { origin: 'https://app.example.com', 'access-control-request-method': 'POST' }, 204],
  ['GET', '/', {}, 302],
  ['GET', '/tasks/%zz', {}, 400],
  ['GET', '/tasks', { authorization: 'Bearer x' }, 401],
  ['GET', '/tasks', { host: 'evil.example' }, 403],
  ['GET', '/nowhere', {}, 404],
  ['PATCH', '/tasks', json, 405],
  ['POST', '/tasks', { 'content-type': 'text/plain' }, 415],
  ['GET', '/tasks?limit=x', {}, 422],
])('%s %s with %j, %i, has the headers of a data response', async (method, path, given, expected) => {
  const { status, headers } = await raw(app, method, path, given as Record<string, string>)
  expect(status).toBe(expected)
  expect(headers).toMatchObject({
    'content-security-policy': "default-src 'none';frame-ancestors 'none'",
    'cross-origin-resource-policy': 'same-origin',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'SAMEORIGIN',
  })
  expect(headers).not.toHaveProperty('x-powered-by')
})

test.each(['/docs', '/swagger/', '/redoc'])(
  'the page %s runs scripts of this server only, and none that stand in the page',
  async (path) => {
    const { headers, body } = await app.fetch(path)
    const directives = headers.get('content-security-policy')!.split('; ')
    const policy = new Map(
      directives.map((directive) => [directive.split(' ')[0], directive.split(' ').slice(1)]),
    )
    expect(policy.get('default-src')).toEqual(["'none'"])
    expect(policy.get('script-src')).toEqual(["'self'"])
    expect(policy.get('frame-ancestors')).toEqual(["'none'"])
    expect([...policy.values()].flat().filter((source) => !/^('\S+'|data:|blob:)$/.test(source))).toEqual([])
    for (const script of body.match(/<script[^>]*>[^<]*/g)) expect(script).toMatch(/ src="\S+"[^>]*>\s*$/)
    expect(body).not.toMatch(/\son\w+=/)
  },
)

test('Redoc loads no logo from another host', async () => {
  const { body, headers } = await app.fetch('/redoc/redoc.standalone.js')
  expect(headers.get('content-type')).toMatch(/javascript/)
  expect(body.length).toBeGreaterThan(500_000)
  expect(body).not.toContain('cdn.redoc.ly')
})

test('HSTS is sent only if a trusted proxy reports TLS', async () => {
  const hsts = async (server: TestApp, headers: Record<string, string>, path = '/tasks') =>
    (await raw(server, 'GET', path, headers)).headers['strict-transport-security']
  const tls = { 'x-forwarded-proto': 'https' }
  expect(await hsts(proxied, tls)).toBe('max-age=31536000')
  expect(await hsts(proxied, tls, '/docs')).toBe('max-age=31536000')
  expect(await hsts(proxied, {})).toBeUndefined()
  expect(await hsts(proxied, { 'x-forwarded-proto': 'http' })).toBeUndefined()
  expect(await hsts(proxied, { 'x-forwarded-proto': 'https, http' })).toBeUndefined()
  expect(await hsts(app, tls)).toBeUndefined()
})
