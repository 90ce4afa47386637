import { describe, expect, onTestFinished, test } from 'vitest'
import { bearer, type Grant, PASSWORD } from '../support/accounts.ts'
import { createTestDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'
import { listen } from '../support/listener.ts'
import { type RedisProxy, redisUrl, startRedisProxy } from '../support/redis.ts'
import { claimRedisDatabase } from '../support/redis-database.ts'
import { type Server, startServer, stop } from '../support/server.ts'

const LIMIT = 40
/** Redis is given 1 s to answer, once; from then on it is known to be away. */
const PATIENCE_MS = 3000

/** Calls as if from another address each, but for those that are about limits. */
let addresses = 0
const newAddress = () => `10.2.${addresses >> 8}.${addresses++ & 255}`

async function call(
  server: Server,
  method: string,
  path: string,
  { body, token, from = newAddress() }: { body?: object; token?: string; from?: string } = {},
) {
  const response = await fetch(server.url + path, {
    method,
    headers: {
      'x-forwarded-for': from,
      ...(body && { 'content-type': 'application/json' }),
      ...(token !== undefined && bearer(token)),
    },
    ...(body && { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  return {
    status: response.status,
    type: response.headers.get('content-type'),
    body: text ? JSON.parse(text) : undefined,
  }
}
type Answer = Awaited<ReturnType<typeof call>>

const login = (server: Server, username: string, password = PASSWORD, from = newAddress()) =>
  call(server, 'POST', '/auth/login', { body: { username, password }, from })
const register = (server: Server, username: string) =>
  call(server, 'POST', '/auth/register', { body: { username, password: PASSWORD } })
const refresh = (server: Server, token: string) =>
  call(server, 'POST', '/auth/refresh', { body: { refresh_token: token } })
const logout = (server: Server, token: string) => call(server, 'POST', '/auth/logout', { token })
const changePassword = (server: Server, token: string, next: string) =>
  call(server, 'POST', '/auth/password', {
    body: { current_password: PASSWORD, new_password: next },
    token,
  })

function expectUnavailable({ status, type, body }: Answer): void {
  expect([status, type]).toEqual([503, expect.stringMatching(/^application\/problem\+json/)])
  expect(body).toMatchObject({
    status: 503,
    title: 'Service Unavailable',
    detail: expect.stringMatching(/Redis/),
  })
  expect(JSON.stringify(body)).not.toMatch(/ECONNREFUSED|127\.0\.0\.1/)
}

const warnings = (server: Server) =>
  server
    .logged()
    .filter(({ level }) => /warn|error|fatal/.test(level))
    .map(({ level, msg }) => `${level}: ${msg.split(':')[0]}`)

/** Users as they were when Redis was there. */
interface Before {
  anna: Grant
  bert: Grant
  /** Of a session that has ended. */
  ended: Grant
}

async function prepare(server: Server): Promise<Before> {
  const granted = ({ status, body }: Answer): Grant => {
    expect([status, body]).toEqual([expect.toSatisfy((code: number) => code < 300), expect.anything()])
    return body
  }
  const anna = granted(await register(server, 'anna'))
  const bert = granted(await register(server, 'bert'))
  const ended = granted(await login(server, 'anna'))
  expect((await logout(server, ended.access_token)).status).toBe(204)
  return { anna, bert, ended }
}

async function expectReady(server: Server, redis: 'up' | 'down'): Promise<void> {
  const { status, body } = await call(server, 'GET', '/health/ready')
  expect(status).toBe(200)
  expect(body).toMatchObject({
    status: 'ready',
    checks: { database: { status: 'up' }, redis: { status: redis } },
  })
}

/** What holds while Redis is away. */
async function checkAway(server: Server, { anna, bert, ended }: Before): Promise<void> {
  const token = anna.access_token
  const began = performance.now()
  const task = await call(server, 'POST', '/tasks', { body: { title: 'Without Redis' }, token })
  expect(task).toMatchObject({ status: 201, body: { user_id: anna.user.id } })
  expect((await call(server, 'GET', `/tasks/${task.body.id}`, { token })).body).toEqual(task.body)
  expect((await call(server, 'GET', `/tasks/${task.body.id}`, { token: bert.access_token })).status).toBe(403)
  expect(performance.now() - began).toBeLessThan(PATIENCE_MS)
  await expectReady(server, 'down')

  // Sockets open and hear.
  const ticket = await call(server, 'POST', '/auth/ticket', { token })
  const listener = await listen(`${server.ws}/ws?ticket=${ticket.body.ticket}`)
  const patched = await call(server, 'PATCH', `/tasks/${task.body.id}`, { body: { title: 'Heard' }, token })
  await eventually(() => listener.events.length > 0, 'the event')
  expect(listener.events[0]!.data.task).toEqual(patched.body)

  // What is about sessions is not decided.
  expectUnavailable(await login(server, 'anna'))
  expectUnavailable(await register(server, 'carl'))
  expectUnavailable(await refresh(server, anna.refresh_token))
  expectUnavailable(await refresh(server, ended.refresh_token))
  expectUnavailable(await logout(server, bert.access_token))
  expectUnavailable(await changePassword(server, bert.access_token, 'staple battery horse'))

  // Nothing is accepted that would not be otherwise.
  expect((await login(server, 'anna', 'a wrong password')).status).toBe(401)
  expect((await refresh(server, `${anna.refresh_token}x`)).status).toBe(401)
  for (const wrong of [ended.access_token, anna.refresh_token, `${token}x`, 'x', undefined]) {
    const answer = await call(server, 'GET', '/tasks', wrong === undefined ? {} : { token: wrong })
    expect(answer.status).toBe(401)
  }

  // Limits hold, by the count of this process.
  const many = (count: number, ask: () => Promise<Answer>) => Promise.all(Array.from({ length: count }, ask))
  const count = (answers: Answer[], code: number) => answers.filter(({ status }) => status === code).length
  const lists = await many(2 * LIMIT, () => call(server, 'GET', '/tasks', { token: bert.access_token }))
  expect(count(lists, 200)).toBeGreaterThan(0)
  expect(count(lists, 200)).toBeLessThanOrEqual(LIMIT)
  expect(count(lists, 200) + count(lists, 429)).toBe(2 * LIMIT)
  const from = newAddress()
  const guesses = await many(30, () => login(server, 'bert', 'a wrong password', from))
  expect([count(guesses, 401), count(guesses, 429)]).toEqual([10, 20])
}

/** What holds once it is back: all is as if nothing had happened. */
async function checkBack(server: Server, { anna, bert, ended }: Before): Promise<void> {
  await eventually(async () => (await login(server, 'anna')).status === 200, 'login works again', 20_000)
  await expectReady(server, 'up')
  const next = await refresh(server, anna.refresh_token)
  expect(next.status).toBe(200)
  expect((await call(server, 'GET', '/auth/me', { token: next.body.access_token })).body.username).toBe(
    'anna',
  )
  expect((await refresh(server, ended.refresh_token)).status).toBe(401)
  // What was refused has changed nothing, and can be done now.
  expect((await register(server, 'carl')).status).toBe(201)
  expect((await login(server, 'bert')).status).toBe(200)
  // Whatever was counted meanwhile, in Redis a new window begins.
  expect((await logout(server, bert.access_token)).status).toBe(204)
  expect((await call(server, 'GET', '/tasks', { token: bert.access_token })).status).toBe(401)
}

const ONCE = ['warn: Redis is unavailable', 'warn: rate limits are counted in this process only']

/** The log is whole when the server has ended: it is written in portions. */
async function checkLog(server: Server): Promise<void> {
  expect(await stop(server)).toMatchObject({ code: 0 })
  expect(warnings(server).toSorted()).toEqual(ONCE)
  const messages = server.logged().map(({ msg }) => msg)
  expect(messages.filter((msg) => /is available again|shared again/.test(msg)).toSorted()).toEqual([
    'Redis is available again',
    'rate limits are shared again',
  ])
}

const ways: [string, (proxy: RedisProxy) => Promise<void> | void][] = [
  ['refuses connections', (proxy) => proxy.refuse()],
  ['does not answer', (proxy) => proxy.hang()],
]

async function world() {
  const stack = new AsyncDisposableStack()
  onTestFinished(() => stack.disposeAsync())
  const database = stack.use(await createTestDatabase())
  const redis = stack.use(await claimRedisDatabase())
  const proxy = stack.use(await startRedisProxy())
  const distant = new URL(redis.url)
  distant.host = new URL(proxy.url).host
  const settings = {
    DATABASE_URL: database.url,
    AUTH_MODE: 'required',
    SECRET_KEY: 'one-key-of-all-servers-with-enough-bytes',
    RATE_LIMIT_PER_MINUTE: String(LIMIT),
    TRUST_PROXY: '127.0.0.1',
    ADMIN_USERNAME: 'root',
    ADMIN_PASSWORD: PASSWORD,
  }
  return {
    proxy,
    near: { ...settings, REDIS_URL: redis.url },
    far: { ...settings, REDIS_URL: distant.href },
  }
}

describe.skipIf(!redisUrl).each(ways)('while Redis %s', (_how, goAway) => {
  test('a server serves tasks, decides nothing about sessions, and goes on when it is back', async () => {
    const { proxy, far } = await world()
    const server = await startServer(far)
    const before = await prepare(server)
    await expectReady(server, 'up')

    await goAway(proxy)
    await checkAway(server, before)
    await proxy.restore()
    await checkBack(server, before)
    await checkLog(server)
  }, 240_000)

  test('a server starts, and does the same', async () => {
    const { proxy, near, far } = await world()
    const before = await prepare(await startServer(near))
    await goAway(proxy)
    const server = await startServer(far)
    await checkAway(server, before)
    // Of a Redis that takes the connection and says nothing, it is known after 5 s only.
    await eventually(() => warnings(server).length === ONCE.length, 'the warnings', 15_000)
    await proxy.restore()
    await checkBack(server, before)
    await checkLog(server)
  }, 240_000)
})
