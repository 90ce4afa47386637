import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bearer, type Grant, PASSWORD, register, registerAdmin } from '../support/accounts.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { eventually } from '../support/eventually.ts'
import { expectProblem } from '../support/problem.ts'
import { upgrade } from '../support/raw-request.ts'

const MAX_TOKENS = 100

let app: TestApp
let anna: Grant
let admin: Grant
beforeAll(async () => {
  app = await startTestApp({ AUTH_MODE: 'required' })
  anna = await register(app, 'anna')
  admin = await registerAdmin(app, 'admin')
})
afterAll(() => app[Symbol.asyncDispose]())

const make = (grant: Grant, body: object) =>
  app.send('POST', '/auth/tokens', { name: 'script', ...body }, bearer(grant.access_token))
const made = async (grant: Grant, ...scopes: string[]) => {
  const { status, body } = await make(grant, { scopes })
  expect(status).toBe(201)
  return body as { id: number; token: string; expires_at: string | null }
}
const list = async (grant: Grant) =>
  (await app.fetch('/auth/tokens', { headers: bearer(grant.access_token) })).body as Record<string, unknown>[]
const get = (path: string, token: string) => app.fetch(path, { headers: bearer(token) })
const remove = (grant: Grant, id: number) =>
  app.fetch(`/auth/tokens/${id}`, { method: 'DELETE', headers: bearer(grant.access_token) })

test('a token is shown once, and the database has its hash only', async () => {
  const { id, token } = await made(anna, 'read')
  // 256 bits.
  expect(token).toMatch(/^tw_[\w-]{43}$/)
  const listed = (await list(anna)).find((one) => one.id === id)!
  expect(Object.keys(listed).sort()).toEqual([
    'created_at',
    'expires_at',
    'id',
    'last_used_at',
    'name',
    'scopes',
  ])
  const [row] = await app.database.rows<{ token_hash: Buffer; text: string }>(
    'SELECT token_hash, t::text AS text FROM api_tokens t WHERE id = $1',
    [id],
  )
  expect(row!.token_hash).toEqual(createHash('sha256').update(token).digest())
  expect(row!.text).not.toContain(token)
  expect(JSON.stringify(app.logged)).not.toContain(token)
  expect(app.logged).toContainEqual(
    expect.objectContaining({ msg: 'API token created', user: 'anna', address: '127.0.0.1', tokenId: id }),
  )
})

describe('scopes', () => {
  test('read reads, and changes nothing', async () => {
    const { token } = await made(anna, 'read')
    expect((await get('/tasks', token)).status).toBe(200)
    expect((await get('/auth/me', token)).body.username).toBe('anna')
    expect(await upgrade(app, '/ws', bearer(token))).toBe('open')
    expectProblem(await app.send('POST', '/tasks', { title: 'x' }, bearer(token)), 403)
    expectProblem(await app.send('PATCH', '/tasks/1', { title: 'x' }, bearer(token)), 403)
    expect(await app.database.rows('SELECT FROM tasks')).toEqual([])
  })

  test('write writes, and reads nothing', async () => {
    const { token } = await made(anna, 'write')
    const { status, body } = await app.send('POST', '/tasks', { title: 'x' }, bearer(token))
    expect([status, body.user_id]).toEqual([201, anna.user.id])
    expectProblem(await get('/tasks', token), 403)
    expectProblem(await get(`/tasks/${body.id}`, token), 403)
    expect(await upgrade(app, '/ws', bearer(token))).toBe(403)
  })

  test('admin is for admins, and ends with their role', async () => {
    expectProblem(await make(anna, { scopes: ['read', 'admin'] }), 422)
    const boss = await registerAdmin(app, 'boss')
    const { token } = await made(boss, 'admin')
    const reader = await made(boss, 'read', 'write')
    expect((await get('/users', token)).status).toBe(200)
    expectProblem(await get('/users', reader.token), 403)
    const demoted = await app.send(
      'PATCH',
      `/users/${boss.user.id}`,
      { role: 'user' },
      bearer(admin.access_token),
    )
    expect(demoted.status).toBe(200)
    expectProblem(await get('/users', token), 403)
    expect((await get('/tasks', reader.token)).status).toBe(200)
  })

  test.each([
    [{ scopes: [] }],
    [{ scopes: ['root'] }],
    [{ scopes: ['read', 'read'] }],
    [{ scopes: 'read' }],
    [{}],
    [{ scopes: ['read'], name: ' ' }],
    [{ scopes: ['read'], name: 'x'.repeat(101) }],
    [{ scopes: ['read'], expires_in_days: 0 }],
    [{ scopes: ['read'], expires_in_days: 1.5 }],
    [{ scopes: ['read'], expires_in_days: 3651 }],
    [{ scopes: ['read'], user_id: 1 }],
    [{ scopes: ['read'], token: 'tw_mine' }],
  ])('%j is 422', async (body) => {
    expectProblem(await make(anna, body), 422)
  })
})

test.each([
  ['make tokens', 'POST', '/auth/tokens', { name: 'x', scopes: ['read'] }],
  ['delete tokens', 'DELETE', '/auth/tokens/1', undefined],
  [
    'change the password',
    'POST',
    '/auth/password',
    { current_password: PASSWORD, new_password: 'staple battery horse' },
  ],
  ['log out', 'POST', '/auth/logout', undefined],
  ['end sessions', 'DELETE', '/auth/sessions/7c9e6679-7425-40de-944b-e07fc1f90ae7', undefined],
])('an API token of all scopes cannot %s', async (_what, method, path, body) => {
  const { token } = await made(admin, 'read', 'write', 'admin')
  const before = await list(admin)
  const answer = body
    ? await app.send(method, path, body, bearer(token))
    : await app.fetch(path, { method, headers: bearer(token) })
  expectProblem(answer, 403)
  expect((await list(admin)).map(({ id }) => id)).toEqual(before.map(({ id }) => id))
  expect((await get('/auth/me', admin.access_token)).status).toBe(200)
})

test('a token expires, at the latest 3,650 days after it was made', async () => {
  const { status, body } = await make(anna, { scopes: ['read'], expires_in_days: 3650 })
  expect(status).toBe(201)
  const days = (Date.parse(body.expires_at) - Date.now()) / 86_400_000
  expect(Math.abs(days - 3650)).toBeLessThan(1)
  expect((await made(anna, 'read')).expires_at).toBeNull()

  expect((await get('/tasks', body.token)).status).toBe(200)
  const socket = await app.fetch('/auth/ticket', { method: 'POST', headers: bearer(body.token) })
  expect(socket.status).toBe(201)
  await app.database.rows('UPDATE api_tokens SET expires_at = clock_timestamp() WHERE id = $1', [body.id])
  // Tokens that were checked lately are known until the clock is looked at, once a second.
  await eventually(async () => (await get('/tasks', body.token)).status === 401, 'it has expired', 3000)
  expect(await upgrade(app, '/ws', bearer(body.token))).toBe(401)
})

test('a deleted token is void at once; nobody deletes one of somebody else', async () => {
  const { id, token } = await made(anna, 'read', 'write')
  expect((await get('/tasks', token)).status).toBe(200)
  expectProblem(await remove(admin, id), 404)
  expect((await get('/tasks', token)).status).toBe(200)
  expect((await remove(anna, id)).status).toBe(204)
  expectProblem(await get('/tasks', token), 401)
  expectProblem(await remove(anna, id), 404)
  expect((await list(anna)).some((one) => one.id === id)).toBe(false)
})

test('tokens outlive a change of the password, and not the disabling of their user', async () => {
  const bert = await register(app, 'bert')
  const { token } = await made(bert, 'read')
  const change = { current_password: PASSWORD, new_password: 'staple battery horse' }
  expect((await app.send('POST', '/auth/password', change, bearer(bert.access_token))).status).toBe(200)
  expect((await get('/tasks', token)).status).toBe(200)
  const disable = (disabled: boolean) =>
    app.send('PATCH', `/users/${bert.user.id}`, { disabled }, bearer(admin.access_token))
  expect((await disable(true)).status).toBe(200)
  expectProblem(await get('/tasks', token), 401)
  expect((await disable(false)).status).toBe(200)
  expect((await get('/tasks', token)).status).toBe(200)
})

test('a user has 100 tokens at most, also when they ask for more at once', async () => {
  const greedy = await register(app, 'greedy')
  const made = await Promise.all(
    Array.from({ length: MAX_TOKENS + 20 }, () => make(greedy, { scopes: ['read'] })),
  )
  const refused = made.filter(({ status }) => status !== 201)
  expect(refused.map(({ status }) => status)).toEqual(Array(20).fill(409))
  expect(await list(greedy)).toHaveLength(MAX_TOKENS)
  const [first] = await list(greedy)
  expect((await remove(greedy, Number(first!.id))).status).toBe(204)
  expect((await make(greedy, { scopes: ['read'] })).status).toBe(201)
  expectProblem(await make(greedy, { scopes: ['read'] }), 409)
})
