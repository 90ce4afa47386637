import { expect, onTestFinished, test } from 'vitest'
import { bearer, register, registerAdmin } from '../../test/support/accounts.ts'
import { startTestApp, type TestApp } from '../../test/support/app.ts'
import { eventually } from '../../test/support/eventually.ts'
import { finished, taskwire } from '../../test/support/program.ts'
import { startUpstream } from '../../test/support/upstream.ts'

const token = (app: TestApp, ...args: string[]) =>
  finished(['token', ...args], { DATABASE_URL: app.database.url })

async function made(app: TestApp, username: string, scopes: string, ...more: string[]): Promise<string> {
  const { error, out } = await token(app, 'create', username, '--name', 'x', '--scopes', scopes, ...more)
  expect([error, out.length]).toEqual(['', 1])
  return out[0]!
}

const statusOf = async (app: TestApp, path: string, given: string) =>
  (await app.fetch(path, { headers: bearer(given) })).status

test('create prints the token alone; it works until it is deleted', async () => {
  await using app = await startTestApp({ AUTH_MODE: 'required' })
  await register(app, 'anna')
  const given = await token(
    app,
    'create',
    'ANNA',
    '--name',
    ' backup \u001b[2J',
    '--scopes',
    'read, read',
    '--expires-in-days',
    '3',
  )
  expect(given).toEqual({
    error: '',
    out: [expect.stringMatching(/^tw_[\w-]{43}$/)],
    err: [expect.stringMatching(/^Token 1 of "anna" for read; it expires at \d{4}-/)],
  })
  const secret = given.out[0]!
  expect(await statusOf(app, '/tasks', secret)).toBe(200)
  expect((await app.send('POST', '/tasks', { title: 'x' }, bearer(secret))).status).toBe(403)

  const { out } = await token(app, 'list', 'anna')
  expect(out[0]).toMatch(/^ID +NAME +SCOPES +CREATED +LAST USED +EXPIRES$/)
  expect(out[1]).toMatch(/^1 +backup \ufffd\[2J +read +\d{4}\S+ +\d{4}\S+ +\d{4}\S+$/)
  expect(out.join()).not.toContain(secret)

  expect((await token(app, 'delete', 'anna', '1')).out).toEqual(['Token 1 of "anna" is deleted'])
  await eventually(
    async () => (await statusOf(app, '/tasks', secret)) === 401,
    'the server hears of it',
    5_000,
  )
  expect((await token(app, 'list', 'anna')).out).toHaveLength(1)
})

test('mistakes are one line each and make no token', async () => {
  await using app = await startTestApp({ AUTH_MODE: 'required' })
  await register(app, 'anna')
  await register(app, 'bob')
  await app.database.rows("UPDATE users SET disabled = true WHERE username = 'bob'")
  const wrong = async (username: string, change: Record<string, string>) => {
    const options = { '--name': 'x', '--scopes': 'read', ...change }
    const { error, out, err } = await token(app, 'create', username, ...Object.entries(options).flat())
    expect([out, err]).toEqual([[], []])
    return error
  }
  expect(await wrong('nobody', {})).toBe('There is no user "nobody"')
  expect(await wrong('bob', {})).toBe('"bob" is disabled')
  expect(await wrong('anna', { '--name': '  ' })).toBe('--name must have 1 to 100 characters')
  expect(await wrong('anna', { '--name': 'x'.repeat(101) })).toBe('--name must have 1 to 100 characters')
  expect(await wrong('anna', { '--scopes': 'read,all' })).toBe(
    '--scopes must list some of read,write,admin, got "read,all"',
  )
  expect(await wrong('anna', { '--scopes': 'admin' })).toBe(
    'The scope admin is for admins only, and "anna" is not an admin',
  )
  for (const days of ['0', '3651', '1.5', '-1', 'x']) {
    expect(await wrong('anna', { '--expires-in-days': days })).toBe(
      `--expires-in-days must be a whole number from 1 to 3650, got "${days}"`,
    )
  }
  expect((await token(app, 'delete', 'anna', '1')).error).toBe('"anna" has no token 1')
  expect((await token(app, 'delete', 'anna', 'x')).error).toBe(
    'The id must be a whole number from 1 to 2147483647, got "x"',
  )
  expect(await app.database.rows('SELECT FROM api_tokens')).toEqual([])
})

test('import calls a server that asks for a token with TASKWIRE_TOKEN', async () => {
  await using upstream = await startUpstream()
  await using app = await startTestApp({ AUTH_MODE: 'required', TODO_SOURCE_URL: upstream.url })
  await registerAdmin(app, 'anna')
  await register(app, 'bob')
  const run = (TASKWIRE_TOKEN?: string) =>
    finished(['import', 'todos', '--url', app.url], TASKWIRE_TOKEN === undefined ? {} : { TASKWIRE_TOKEN })
  expect((await run()).error).toMatch(/^A token is needed: .*TASKWIRE_TOKEN/)
  expect((await run('tw_wrong')).error).toMatch(/^The token is invalid.*TASKWIRE_TOKEN/)
  expect((await run(await made(app, 'bob', 'write'))).error).toBe('Only an admin may do this.')
  expect((await run(await made(app, 'anna', 'read'))).error).toBe('The token lacks the scope "write".')
  expect((await run(await made(app, 'anna', 'write'))).out).toEqual([
    'Run 1 of todos: 20 created, 0 updated, 0 unchanged.',
  ])
})

test('watch sends TASKWIRE_TOKEN, and ends when it is missing, wrong or revoked', async () => {
  await using app = await startTestApp({ AUTH_MODE: 'required' })
  const { access_token: access } = await register(app, 'anna')
  const watching = new AbortController()
  onTestFinished(() => watching.abort())
  const watch = (values: Record<string, string>) => taskwire(['watch', '--url', app.url], values, watching)
  const without = watch({})
  expect([await without.done, without.err]).toEqual([
    'The server asks for a token; set TASKWIRE_TOKEN to a valid token, such as one of "taskwire token create"',
    [],
  ])
  expect(await watch({ TASKWIRE_TOKEN: 'tw_wrong' }).done).toMatch(
    /^The server refused the connection \(401\); set/,
  )
  expect(await watch({ TASKWIRE_TOKEN: await made(app, 'anna', 'write') }).done).toBe(
    'The server refused the connection (403): The token lacks the scope "read".',
  )

  const { out, err, done } = watch({ TASKWIRE_TOKEN: await made(app, 'anna', 'read') })
  await eventually(() => err.length === 1, 'it listens')
  const { body } = await app.send('POST', '/tasks', { title: 'seen' }, bearer(access))
  await eventually(() => out.length === 1, 'it prints')
  expect(out[0]).toContain(`task_created #${body.id} "seen"`)
  await token(app, 'delete', 'anna', '2')
  expect(await done).toMatch(/^The server refused the connection \(401\); .*TASKWIRE_TOKEN/)
  expect(err.at(-1)).toMatch(/^The server closed the connection; trying again in [\d.]+ s$/)
})
