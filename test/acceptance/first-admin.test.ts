import { createHash, createHmac, hkdfSync } from 'node:crypto'
import { expect, test } from 'vitest'
import { emptyDatabase } from '../support/empty-database.ts'
import { eventually } from '../support/eventually.ts'
import { launch, type Program, type Server, startServer, stop } from '../support/server.ts'

const SECRET_KEY = 'the-secret-key-of-the-first-admin-0123456789'
const PASSWORD = 'correct horse battery'
const NOTICE = '/auth/setup?token='
const HALF_AN_HOUR = 30 * 60

type Settings = Record<string, string>

async function settings(more: Settings = {}): Promise<Settings> {
  const url = await emptyDatabase()
  return { DATABASE_URL: url, SECRET_KEY, AUTH_MODE: 'required', ...more }
}

/** The token of the link that the server printed. */
async function setupToken(server: Server): Promise<string> {
  const line = await eventually(() => server.out.find((text) => text.includes(NOTICE)), 'the setup link')
  expect(line.trim()).toMatch(new RegExp(`^http://localhost:${server.port}/auth/setup\\?token=[\\w.-]+$`))
  return line.split('token=')[1]!
}

/** What the server printed until it was told to stop and had stopped. */
async function printed(server: Server): Promise<string> {
  expect(await stop(server)).toMatchObject({ code: 0 })
  return server.out.join('\n')
}

const send = (server: Server, path: string, body: object) =>
  fetch(server.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
const loggedIn = async (server: Server, username: string, password = PASSWORD) => {
  const response = await send(server, '/auth/login', { username, password })
  return response.ok ? ((await response.json()) as { user: { role: string } }).user.role : response.status
}

test('the setup link makes one admin, by JSON, and is printed until there is one', async () => {
  const given = await settings()
  const server = await startServer(given)
  const token = await setupToken(server)
  const body = { token, username: 'anna', password: PASSWORD }
  expect((await send(server, '/auth/setup', { ...body, password: 'password1' })).status).toBe(422)
  expect((await send(server, '/auth/setup', { ...body, role: 'admin' })).status).toBe(422)
  const made = await send(server, '/auth/setup', body)
  expect(made.status).toBe(201)
  expect(await made.json()).toMatchObject({ username: 'anna', role: 'admin' })
  const again = await send(server, '/auth/setup', { ...body, username: 'eve' })
  expect([again.status, again.headers.get('content-type')]).toEqual([
    401,
    'application/problem+json; charset=utf-8',
  ])
  expect((await fetch(`${server.url}${NOTICE}${token}`)).status).toBe(401)
  expect(await loggedIn(server, 'anna')).toBe('admin')
  expect(await loggedIn(server, 'eve')).toBe(401)
  await stop(server)

  expect(await printed(await startServer(given))).not.toContain(NOTICE)
})

test('its page is a form without a script, which tells mistakes and asks for nothing but the first admin', async () => {
  const server = await startServer(await settings())
  const token = await setupToken(server)
  const page = await fetch(`${server.url}${NOTICE}${token}`)
  const html = await page.text()
  expect(page.status).toBe(200)
  expect(page.headers.get('content-security-policy')).toMatch(/default-src 'none'.*form-action 'self'/)
  expect(page.headers.get('cache-control')).toBe('no-store')
  expect(page.headers.get('referrer-policy')).toBe('no-referrer')
  expect(html).toContain(`<input type="hidden" name="token" value="${token}">`)
  expect(html).not.toContain('<script')

  const submit = async (username: string, password: string) => {
    const body = new URLSearchParams({ token, username, password })
    const response = await fetch(`${server.url}/auth/setup`, {
      method: 'POST',
      body,
      headers: { accept: 'text/html' },
    })
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8')
    return { status: response.status, html: await response.text() }
  }
  const wrong = await submit('<b>x</b>', 'short')
  expect(wrong.status).toBe(422)
  expect(wrong.html).toMatch(/<p role="alert">[^<]*username[^<]*password[^<]*<\/p>/)
  expect(wrong.html).not.toContain('<b>')
  expect(wrong.html).not.toContain('short')
  const done = await submit('anna', PASSWORD)
  expect([done.status, done.html]).toEqual([201, expect.stringContaining('anna is the admin now')])
  expect(await loggedIn(server, 'anna')).toBe('admin')
})

test('of ten who use the link at once, one is the admin', async () => {
  const server = await startServer(await settings())
  const token = await setupToken(server)
  const answers = await Promise.all(
    Array.from({ length: 10 }, (_, i) =>
      send(server, '/auth/setup', { token, username: `user${i}`, password: PASSWORD }),
    ),
  )
  expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array(9).fill(401)])
  const roles = await Promise.all(answers.map((_, i) => loggedIn(server, `user${i}`)))
  expect(roles.filter((role) => role === 'admin')).toHaveLength(1)
  expect(roles.filter((role) => role === 401)).toHaveLength(9)
})

test('the link is good for 30 minutes, on every process with the key, and for nothing else', async () => {
  const server = await startServer(await settings())
  const [head, body] = (await setupToken(server)).split('.')
  const claims = JSON.parse(Buffer.from(body!, 'base64url').toString())
  expect(claims.exp - claims.iat).toBe(HALF_AN_HOUR)
  const key = Buffer.from(hkdfSync('sha256', SECRET_KEY, '', 'taskwire setup token', 32))
  const kid = createHash('sha256').update(key).digest('hex').slice(0, 8)
  expect(JSON.parse(Buffer.from(head!, 'base64url').toString()).kid).toBe(kid)
  const remade = (ageSeconds: number) => {
    const aged = { ...claims, iat: claims.iat - ageSeconds, exp: claims.exp - ageSeconds }
    const text = `${head}.${Buffer.from(JSON.stringify(aged)).toString('base64url')}`
    return `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`
  }
  expect((await fetch(`${server.url}${NOTICE}${remade(HALF_AN_HOUR - 60)}`)).status).toBe(200)
  const expired = remade(HALF_AN_HOUR + 60)
  const page = await fetch(`${server.url}${NOTICE}${expired}`)
  expect([page.status, await page.text()]).toEqual([401, expect.stringContaining('This link is not valid')])
  const late = await send(server, '/auth/setup', { token: expired, username: 'anna', password: PASSWORD })
  expect(late.status).toBe(401)
  const headers = { authorization: `Bearer ${remade(0)}` }
  expect((await fetch(`${server.url}/tasks`, { headers })).status).toBe(401)
})

test('no link while access is open, nor of a process that serves no such page, nor when settings name an admin', async () => {
  const given = await settings()
  const ROLES = 'worker,scheduler,relay'
  expect(await printed(await startServer({ ...given, ROLES }))).not.toContain(NOTICE)
  expect(await printed(await startServer({ ...given, AUTH_MODE: 'open' }))).not.toContain(NOTICE)
  const admin = { ADMIN_USERNAME: 'chief', ADMIN_PASSWORD: PASSWORD }
  // At once: one of them makes it.
  const servers = await Promise.all([
    startServer({ ...given, ...admin }),
    startServer({ ...given, ...admin }),
  ])
  expect(await loggedIn(servers[0]!, 'chief')).toBe('admin')
  const outputs = await Promise.all(servers.map(printed))
  expect(outputs.join('\n').match(/first admin created/g)).toHaveLength(1)
  expect(outputs.join('\n')).not.toContain(NOTICE)

  const later = await startServer({
    ...given,
    ADMIN_USERNAME: 'other',
    ADMIN_PASSWORD: 'another horse battery',
  })
  expect(await loggedIn(later, 'chief')).toBe('admin')
  expect(await loggedIn(later, 'other', 'another horse battery')).toBe(401)
  expect(await printed(later)).not.toContain('first admin created')
})

test('settings of an admin that cannot be stop the start with one line, which does not repeat the password', async () => {
  const given = await settings()
  const server = await startServer(given)
  expect((await send(server, '/auth/register', { username: 'taken', password: PASSWORD })).status).toBe(201)
  await stop(server)
  const cases: [Settings, RegExp][] = [
    [{ ADMIN_USERNAME: 'chief' }, /^ADMIN_USERNAME and ADMIN_PASSWORD belong together/],
    [{ ADMIN_PASSWORD: PASSWORD }, /^ADMIN_USERNAME and ADMIN_PASSWORD belong together/],
    [{ ADMIN_USERNAME: 'a b', ADMIN_PASSWORD: PASSWORD }, /^ADMIN_USERNAME must be 3 to 64/],
    [{ ADMIN_USERNAME: 'chief', ADMIN_PASSWORD: 'zq7Kp' }, /^ADMIN_PASSWORD must have 8 to 128/],
    [{ ADMIN_USERNAME: 'chief', ADMIN_PASSWORD: 'password1' }, /^ADMIN_PASSWORD is one of the commonest/],
    [
      { ADMIN_USERNAME: 'longchief', ADMIN_PASSWORD: 'LongChief' },
      /^ADMIN_PASSWORD must not be the user name/,
    ],
    [
      { ADMIN_USERNAME: 'Taken', ADMIN_PASSWORD: PASSWORD },
      /^ADMIN_USERNAME: the user "Taken" exists but is not an admin; run taskwire user set-role Taken admin$/,
    ],
  ]
  for (const [wrong, reason] of cases) {
    const lines = await failure(launch({ ...given, ...wrong, LOG_LEVEL: 'warn' }))
    expect(lines).toEqual([expect.stringMatching(reason)])
    if (wrong.ADMIN_PASSWORD) expect(lines[0]).not.toContain(wrong.ADMIN_PASSWORD)
  }
}, 240_000)

/** What a start that fails said. */
async function failure(program: Program): Promise<string[]> {
  expect(await program.exited).toEqual({ code: 1, signal: null })
  return [...program.out.map((line): string => JSON.parse(line).msg), ...program.err]
}
