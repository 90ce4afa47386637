import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import {
  ask,
  databaseText,
  databaseWithPassword,
  found,
  keep,
  openSocket,
  type Pair,
  redisText,
  redisUser,
  secret,
} from '../support/canary.ts'
import { eventually } from '../support/eventually.ts'
import { redisUrl } from '../support/redis.ts'
import { claimRedisDatabase } from '../support/redis-database.ts'
import { run, type Server, startServer, stop, temporaryFolder } from '../support/server.ts'

const NOTICE = '/auth/setup?token='
/** Of argon2id: no plain secret, but nothing for a log either. */
const HASH = '$argon2id$'

/** All that a server said, but for the line with the setup link, which is meant for whoever starts it. */
function said(server: Server): string {
  const lines = server.out.filter((line) => !line.includes(NOTICE))
  return [...lines, ...server.err, readFileSync(join(server.dataDir, 'app.log'), 'utf8')].join('\n')
}

/** Every secret that a setting can have. */
function settings() {
  const [user, key] = [secret('the password of the todos'), secret('the key of the todos')]
  return {
    SECRET_KEY: `${secret('the first secret key')}-0123456789,${secret('the second secret key')}-0123456789`,
    TODO_SOURCE_URL: `http://me:${user}@127.0.0.1:9/todos?api_key=${key}`,
    WEATHER: 'on',
    OPENWEATHER_API_KEY: secret('the key for the weather'),
    OPENWEATHER_URL: `http://127.0.0.1:9/weather?token=${secret('the token of the weather')}`,
    LOG_LEVEL: 'trace',
    LOG_FILE: 'app.log',
    AUTH_MODE: 'required',
  }
}

test('no secret is in a log, in the database, in Redis or in the answer to a mistake', async () => {
  const database = await databaseWithPassword()
  await using claimed = redisUrl ? await claimRedisDatabase() : undefined
  const REDIS_URL = claimed && (await redisUser(claimed.url))
  const server = await startServer({
    ...settings(),
    DATABASE_URL: database.url,
    ...(REDIS_URL && { REDIS_URL }),
  })
  const change = (statement: string) => database.rows(statement)
  const call = ask.bind(undefined, server)

  const notice = await eventually(() => server.out.find((line) => line.includes(NOTICE)), 'the setup link')
  const link = new URL(notice.trim())
  const token = secret('the token of the setup link', link.searchParams.get('token')!)
  const setupPath = `${link.pathname}${link.search}`
  const admin = { username: 'canary.admin', password: secret('the password of the admin') }
  expect((await call('GET', setupPath)).status).toBe(200)
  await call('GET', `/auth/setup?token=${token}x`)
  await call('POST', '/auth/setup', { body: { ...admin, token: `${token}x` } })

  // What nobody expects, while there is a token in the address.
  await change('ALTER TABLE users RENAME TO away')
  expect((await call('GET', setupPath)).status).toBe(500)
  expect((await call('POST', '/auth/setup', { body: { ...admin, token } })).status).toBe(500)
  expect((await call('POST', '/auth/login', { body: admin })).status).toBe(500)
  await change('ALTER TABLE away RENAME TO users')
  // A database that refuses for a while.
  await change(`CREATE FUNCTION refuse() RETURNS integer LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION USING ERRCODE = 'too_many_connections'; END $$`)
  await change('ALTER TABLE users RENAME TO away')
  await change('CREATE VIEW users AS SELECT away.* FROM refuse() LEFT JOIN away ON true')
  expect((await call('GET', setupPath)).status).toBe(503)
  expect((await call('POST', '/auth/login', { body: admin })).status).toBe(503)
  await change('DROP VIEW users')
  await change('ALTER TABLE away RENAME TO users')
  expect((await call('POST', '/auth/setup', { body: { ...admin, token } })).status).toBe(201)
  expect((await call('POST', '/auth/setup', { body: { ...admin, token } })).status).toBe(401)
  expect((await call('GET', setupPath)).status).toBe(401)

  const anna = { username: 'canary.anna', password: secret('the password of anna') }
  const first = keep('the registration', (await call('POST', '/auth/register', { body: anna })).body)
  await call('POST', '/auth/register', { body: anna })
  await change("ALTER TABLE users ADD CONSTRAINT trap CHECK (username <> 'canary.trap')")
  const trapped = { username: 'canary.trap', password: secret('a password that is not stored') }
  expect((await call('POST', '/auth/register', { body: trapped })).status).toBe(500)

  const guess = secret('a wrong password')
  for (const body of [
    { ...anna, password: guess },
    { ...anna, password: [guess] },
    { ...anna, password: { guess } },
    { ...anna, password: `${guess}\0` },
    { ...anna, password: guess.repeat(10) },
    { password: guess },
    `{"username":"canary.anna","password":"${guess}"`,
    `username=canary.anna&password=${guess}&password=${guess}`,
    `username=canary.anna&password=${guess}%zz`,
    `grant_type=${guess}&username=canary.anna&password=${guess}`,
  ]) {
    expect((await call('POST', '/auth/login', { body })).status).toBeLessThan(500)
  }
  await call('POST', `/auth/login?password=${guess}`, { body: { username: 'canary.anna' } })
  for (const bad of [
    `Basic ${guess}`,
    `Bearer ${guess}`,
    `Bearer tw_${guess}`,
    `Token ${guess}`,
    `${guess} x`,
  ]) {
    expect((await call('GET', '/tasks', { token: bad })).status).toBe(401)
  }

  const second = keep('the login', (await call('POST', '/auth/login', { body: anna })).body)
  const third = keep('a refresh', (await refreshed(second)).body)
  keep('the next refresh', (await refreshed(third)).body)
  expect((await refreshed(second)).status).toBe(401)
  expect((await refreshed({ refresh_token: `twr_${guess}` })).status).toBe(401)

  const next = secret('the next password of anna')
  const changed = await call('POST', '/auth/password', {
    token: first.access_token,
    body: { current_password: anna.password, new_password: next },
  })
  const { access_token: access } = keep('the change of the password', changed.body)
  await call('POST', '/auth/password', {
    token: access,
    body: { current_password: guess, new_password: secret('a password that is not taken') },
  })
  const made = await call('POST', '/auth/tokens', {
    token: access,
    body: { name: 'script', scopes: ['read', 'write'] },
  })
  const api = secret('the API token', made.body.token)
  expect((await call('POST', '/tasks', { token: api, body: { title: 'Canary', city: 'Omsk' } })).status).toBe(
    201,
  )
  expect(
    (await call('POST', '/auth/tokens', { token: api, body: { name: 'x', scopes: ['read'] } })).status,
  ).toBe(403)

  const ticket = async () =>
    secret('a ticket', (await call('POST', '/auth/ticket', { token: access })).body.ticket)
  const endOf = (path: string, first?: object) => openSocket(server, path, first).ended
  const used = await ticket()
  const sockets = [
    openSocket(server, `/ws/tasks?ticket=${used}`),
    openSocket(server, '/ws', { type: 'auth', token: access }),
  ]
  await eventually(async () => {
    await call('POST', '/tasks', { token: access, body: { title: 'Canary' } })
    return sockets.every(({ wasTold }) => wasTold)
  }, 'both sockets are admitted')
  expect(await endOf(`/ws/tasks?ticket=${used}`)).toBe(4401)
  expect(await endOf(`/ws?ticket=${guess}`)).toBe(4401)
  expect(await endOf(`/ws?token=${access}`)).toBe(422)
  expect(await endOf('/ws', { type: 'auth', token: guess })).toBe(4401)
  const trap = await ticket()
  await change('ALTER TABLE tickets RENAME TO away')
  expect(await endOf(`/ws?ticket=${trap}`)).toBe(1013)
  expect((await call('POST', '/auth/ticket', { token: access })).status).toBe(500)
  await change('ALTER TABLE away RENAME TO tickets')
  await call('GET', `/ws?ticket=${trap}`, { token: access })
  expect((await call('GET', `/nowhere?access_token=${access}`, { token: access })).status).toBe(404)

  const boss = keep('the admin', (await call('POST', '/auth/login', { body: admin })).body)
  const run = await call('POST', '/task-generator/run', { token: boss.access_token })
  expect(run.status).toBe(502)
  await call('GET', '/importers/todos/runs', { token: boss.access_token })
  await call('GET', '/auth/sessions', { token: access })
  await call('DELETE', `/auth/tokens/${made.body.id}`, { token: access })
  await call('POST', '/auth/logout', { token: access })

  const stored = `${await databaseText(database.url)}\n${claimed ? await redisText(claimed.url) : ''}`
  expect(await stop(server)).toMatchObject({ code: 0 })
  const logged = said(server)
  // What has to be there, so that it is known where was searched.
  for (const text of [
    'canary.admin',
    'canary.anna',
    'login failed',
    'first admin created',
    '"level":"error"',
  ]) {
    expect(logged).toContain(text)
  }
  expect(stored).toContain('canary.anna')
  expect(stored).toContain(HASH)
  expect(found(logged)).toEqual([])
  expect(logged.split('\n').filter((line) => line.includes(HASH))).toEqual([])
  expect(found(stored)).toEqual([])

  function refreshed({ refresh_token }: Pick<Pair, 'refresh_token'>) {
    return call('POST', '/auth/refresh', { body: { refresh_token } })
  }
})

test('nor are those of the first admin’s settings, nor does the command that prints the settings tell any', async () => {
  const database = await databaseWithPassword()
  const ADMIN_PASSWORD = secret('ADMIN_PASSWORD')
  const all = { ...settings(), DATABASE_URL: database.url, ADMIN_USERNAME: 'canary.chief', ADMIN_PASSWORD }
  const server = await startServer(all)
  const body = { username: 'canary.chief', password: ADMIN_PASSWORD }
  keep('the first admin', (await ask(server, 'POST', '/auth/login', { body })).body)
  const stored = await databaseText(database.url)
  expect(await stop(server)).toMatchObject({ code: 0 })
  expect(said(server)).toContain('canary.chief')
  expect(said(server)).not.toContain(NOTICE)
  expect(found(said(server) + stored)).toEqual([])

  const secrets = { ...all, REDIS_URL: `redis://me:${secret('a password of Redis')}@127.0.0.1:9` }
  const printed = run('cli/taskwire.ts', ['config', 'print'], secrets, temporaryFolder())
  expect((await printed.exited).code).toBe(0)
  expect(printed.out).toContain('ADMIN_USERNAME=canary.chief')
  expect(found(printed.out.join('\n') + printed.err.join('\n'))).toEqual([])
})
