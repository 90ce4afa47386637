import { expect, test } from 'vitest'
import { bearer, login, PASSWORD, refresh, register } from '../../test/support/accounts.ts'
import { startTestApp, type TestApp } from '../../test/support/app.ts'
import { createTestDatabase } from '../../test/support/database.ts'
import { eventually } from '../../test/support/eventually.ts'
import { finished } from '../../test/support/program.ts'
import { redisUrl } from '../../test/support/redis.ts'
import { claimRedisDatabase } from '../../test/support/redis-database.ts'

const NEXT = 'staple battery horse'
const nobody = 'redis://127.0.0.1:9'

/** Returns the output of `taskwire user …` on the database of `app`; an error fails the test. */
async function user(app: TestApp, args: string[], piped = '', settings: Record<string, string> = {}) {
  const values = { DATABASE_URL: app.database.url, ...settings }
  const { error, out } = await finished(['user', ...args], values, piped)
  expect(error).toBe('')
  return out
}

const me = async (app: TestApp, token: string) =>
  (await app.fetch('/auth/me', { headers: bearer(token) })).status

test('the first admin of a server that runs, whose setup link ends with it', async () => {
  await using app = await startTestApp({ AUTH_MODE: 'required' })
  const link = new URL(app.setupLink!)
  expect((await app.fetch(link.pathname + link.search)).status).toBe(200)
  expect(await user(app, ['create', 'Anna', '--admin', '--password-stdin'], `${PASSWORD}\n`)).toEqual([
    'Made the admin "Anna"',
  ])
  expect((await login(app, 'anna')).user).toMatchObject({ username: 'Anna', role: 'admin' })
  expect((await app.fetch(link.pathname + link.search)).status).toBe(401)
})

test('list shows everybody, as a table and as JSON', async () => {
  await using app = await startTestApp()
  expect(await user(app, ['list'])).toEqual(['ID  NAME  ROLE  SINCE'])
  await app.database.rows(
    "INSERT INTO users (username, username_key, password_hash, disabled) SELECT 'user' || n, 'user' || n, '', n = 2 FROM generate_series(1, 1001) n",
  )
  const lines = await user(app, ['list'])
  expect(lines).toHaveLength(1002)
  expect(lines[1]).toMatch(/^1 {5}user1 {5}user {12}\d{4}-\d\d-\d\dT/)
  expect(lines[2]).toMatch(/^2 {5}user2 {5}user, disabled {2}\d{4}/)
  const json = await user(app, ['list', '--json'])
  expect(json).toHaveLength(1001)
  const { body } = await app.fetch('/users?limit=1')
  expect(JSON.parse(json[0]!)).toEqual(body[0])
})

test('set-role voids access tokens of the role before, and spares the last admin', async () => {
  await using app = await startTestApp({ AUTH_MODE: 'required' })
  const { access_token: token } = await register(app, 'anna')
  expect(await me(app, token)).toBe(200)
  expect(await user(app, ['set-role', 'ANNA', 'admin'])).toEqual(['"anna" is an admin now'])
  expect(await user(app, ['set-role', 'anna', 'admin'])).toEqual(['"anna" is an admin already'])
  await eventually(async () => (await me(app, token)) === 401, 'the server hears of it', 5_000)
  const values = { DATABASE_URL: app.database.url }
  for (const args of [
    ['set-role', 'anna', 'user'],
    ['disable', 'anna'],
  ]) {
    expect(await finished(['user', ...args], values)).toMatchObject({
      error: 'This is the last admin. Make another user an admin first.',
      out: [],
    })
  }
})

const stores: [string, typeof claimRedisDatabase | undefined][] = [['the database', undefined]]
if (redisUrl) stores.push(['Redis', claimRedisDatabase])

test.each(stores)(
  'disable ends sessions in %s for good, and reset-password as well',
  async (_where, claim) => {
    await using redis = await claim?.()
    const settings: Record<string, string> = redis ? { REDIS_URL: redis.url } : {}
    await using app = await startTestApp({ AUTH_MODE: 'required', ...settings })
    const { access_token: token, refresh_token: before } = await register(app, 'bob')
    expect(await user(app, ['disable', 'bob'], '', settings)).toEqual([
      '"bob" is disabled now; sessions ended: 1',
    ])
    expect(await user(app, ['disable', 'bob'], '', settings)).toEqual([
      '"bob" is disabled already; sessions ended: 0',
    ])
    await eventually(async () => (await me(app, token)) === 401, 'the server hears of it', 5_000)
    expect((await app.send('POST', '/auth/login', { username: 'bob', password: PASSWORD })).status).toBe(401)

    expect(await user(app, ['enable', 'bob'])).toEqual(['"bob" is enabled now'])
    expect((await refresh(app, before)).status).toBe(401)
    const second = await login(app, 'bob')
    expect(await user(app, ['reset-password', 'bob', '--password-stdin'], NEXT, settings)).toEqual([
      'The password of "bob" is changed, and their sessions have ended',
    ])
    expect((await refresh(app, second.refresh_token)).status).toBe(401)
    await eventually(
      async () => (await me(app, second.access_token)) === 401,
      'the server hears of it',
      5_000,
    )
    expect((await app.send('POST', '/auth/login', { username: 'bob', password: PASSWORD })).status).toBe(401)
    expect((await login(app, 'bob', NEXT)).user.username).toBe('bob')
  },
)

test('while Redis is away nobody stays enabled, and no password is half changed', async () => {
  await using app = await startTestApp({ AUTH_MODE: 'required' })
  await register(app, 'bob')
  const values = { DATABASE_URL: app.database.url, REDIS_URL: nobody }
  const reset = await finished(['user', 'reset-password', 'bob', '--password-stdin'], values, NEXT)
  expect(reset.error).toMatch(/^The password of "bob" was not changed: Redis is unavailable/)
  await login(app, 'bob')
  const { error } = await finished(['user', 'disable', 'bob'], values)
  expect(error).toMatch(/^"bob" is disabled, but their sessions are still there; run this again .*Redis/)
  expect((await app.send('POST', '/auth/login', { username: 'bob', password: PASSWORD })).status).toBe(401)
})

test('mistakes are one line each and change nothing', async () => {
  await using database = await createTestDatabase()
  const values = { DATABASE_URL: database.url }
  const run = async (args: string[], piped = PASSWORD) => {
    const { error, out, err } = await finished(['user', ...args], values, piped)
    expect([out, err]).toEqual([[], []])
    return error
  }
  expect((await finished(['user', 'create', 'anna', '--password-stdin'], values, PASSWORD)).error).toBe('')
  const before = await database.rows('SELECT * FROM users')
  expect(await run(['create', 'ANNA', '--password-stdin'])).toBe('The user name "ANNA" is taken.')
  for (const name of ['ab', 'a b c', 'x'.repeat(65), 'a\u200bb\u200bc']) {
    expect(await run(['create', name, '--password-stdin'])).toMatch(/^A user name must be 3 to 64/)
  }
  expect(await run(['create', 'annabelle', '--password-stdin'], 'AnnaBelle')).toBe(
    'The password must not be the user name',
  )
  expect(await run(['create', 'bob'])).toMatch(/^There is no terminal/)
  expect(await run(['reset-password', 'anna', '--password-stdin'], 'short')).toMatch(
    /8 to 128 characters, not 5$/,
  )
  expect(await run(['set-role', 'anna', 'root'])).toBe('The role must be user or admin, not "root"')
  for (const args of [['disable'], ['enable'], ['reset-password', '--password-stdin']]) {
    expect(await run([args[0]!, 'nobody', ...args.slice(1)])).toBe('There is no user "nobody"')
  }
  expect(await run(['set-role', 'nobody', 'admin'])).toBe('There is no user "nobody"')
  expect(await database.rows('SELECT * FROM users')).toEqual(before)
})
