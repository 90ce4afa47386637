import { afterAll, beforeAll, expect, test } from 'vitest'
import { purgeIdempotencyKeys } from '../../src/platform/idempotency/idempotency-keys.ts'
import { bearer, login, register, registerAdmin } from '../support/accounts.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { waitsForALock } from '../support/locks.ts'
import { expectProblem } from '../support/problem.ts'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app[Symbol.asyncDispose]())

let number = 0
const freshKey = () => `key ${++number}`
const post = (key: string, body: object, path = '/tasks') =>
  app.send('POST', path, body, { 'idempotency-key': key })
const count = async (what: string) => {
  const [row] = await app.database.rows<{ count: number }>(`SELECT count(*) AS count FROM ${what}`)
  return row!.count
}

test('the same request with the same key is done once and answered the same', async () => {
  const key = freshKey()
  const first = await post(key, { title: 'once' })
  const events = await count('events')
  const again = await post(key, { title: 'once' })
  expect(first.status).toBe(201)
  expect(first.headers.get('idempotency-replayed')).toBeNull()
  expect(again.status).toBe(201)
  expect(again.headers.get('idempotency-replayed')).toBe('true')
  expect(again.body).toEqual(first.body)
  for (const header of ['etag', 'location', 'content-type']) {
    expect(again.headers.get(header)).toBe(first.headers.get(header))
  }
  expect(await count('events')).toBe(events)
  expect(await count(`tasks WHERE title = 'once'`)).toBe(1)
  expect(
    app.logged.filter(({ msg, taskId }) => msg === 'task created' && taskId === first.body.id),
  ).toHaveLength(1)
})

test('a slash at the end makes no other request of it', async () => {
  const headers = { 'idempotency-key': 'slash' }
  const first = await app.send('POST', '/tasks', { title: 'Once' }, headers)
  const again = await app.send('POST', '/tasks/', { title: 'Once' }, headers)
  expect([again.status, again.body]).toEqual([201, first.body])
  // In a query it means something.
  for (const [path, status] of [
    ['/tasks?from=a', 201],
    ['/tasks/?from=a', 201],
    ['/tasks?from=a/', 422],
  ] as const)
    expect((await post('slash in a query', { title: 'Twice' }, path)).status).toBe(status)
})

test('an answer stays what it was, whatever became of the task since', async () => {
  const key = freshKey()
  const { body } = await post(key, { title: 'first form' })
  await app.send('PATCH', `/tasks/${body.id}`, { title: 'second form' })
  expect((await post(key, { title: 'first form' })).body).toEqual(body)
})

test('every write of a task takes a key', async () => {
  const { body: task } = await post(freshKey(), { title: 'all writes' })
  const path = `/tasks/${task.id}`
  const writes: [string, string, object | undefined, number][] = [
    ['PATCH', path, { status: 'done' }, 200],
    ['PUT', path, { title: 'replaced' }, 200],
    ['DELETE', path, undefined, 204],
    ['POST', `${path}/restore`, undefined, 200],
  ]
  for (const [method, to, body, status] of writes) {
    const headers = { 'idempotency-key': freshKey() }
    const first = await app.send(method, to, body, headers)
    const rows = await app.database.rows('SELECT version FROM tasks WHERE id = $1', [task.id])
    const again = await app.send(method, to, body, headers)
    expect([method, first.status, again.status]).toEqual([method, status, status])
    expect(again.body).toEqual(first.body)
    expect(await app.database.rows('SELECT version FROM tasks WHERE id = $1', [task.id])).toEqual(rows)
  }
})

test('If-Match is looked at once: a replay does not fail because the write itself made a new version', async () => {
  const { body: task, headers } = await post(freshKey(), { title: 'matched' })
  const conditions = { 'if-match': headers.get('etag')!, 'idempotency-key': freshKey() }
  const first = await app.send('PATCH', `/tasks/${task.id}`, { title: 'changed' }, conditions)
  const again = await app.send('PATCH', `/tasks/${task.id}`, { title: 'changed' }, conditions)
  expect([first.status, again.status]).toEqual([200, 200])
  expect(again.body).toEqual(first.body)
})

test('the key with another body, method or address is 422, and changes nothing', async () => {
  const key = freshKey()
  const { body: task } = await post(key, { title: 'mine' })
  const before = await count('events')
  for (const [method, path, body] of [
    ['POST', '/tasks', { title: 'other' }],
    ['PUT', `/tasks/${task.id}`, { title: 'mine' }],
    ['DELETE', `/tasks/${task.id}`, undefined],
  ] as const) {
    const answer = await app.send(method, path, body, { 'idempotency-key': key })
    expect([answer.status, answer.body.title]).toEqual([422, 'Unprocessable Content'])
  }
  expect(await count('events')).toBe(before)
})

test('a write that failed keeps nothing: the key can be used for one that works', async () => {
  const key = freshKey()
  const path = '/tasks/2147483647'
  expect((await app.send('PATCH', path, { title: 'x' }, { 'idempotency-key': key })).status).toBe(404)
  expect((await post(key, { title: 'now it works' })).status).toBe(201)
})

test('of many at once one is done; the others get its answer or 409 with Retry-After', async () => {
  const key = freshKey()
  const answers = await Promise.all(Array.from({ length: 30 }, () => post(key, { title: 'race' })))
  const made = answers.filter(({ status }) => status === 201)
  expect(new Set(made.map(({ body }) => body.id)).size).toBe(1)
  expect(made.filter(({ headers }) => !headers.has('idempotency-replayed'))).toHaveLength(1)
  for (const { status, headers } of answers.filter(({ status }) => status !== 201)) {
    expect([status, headers.get('retry-after')]).toEqual([409, '1'])
  }
  expect(await count(`tasks WHERE title = 'race'`)).toBe(1)
})

test('a write under way on another process is 409; when that one has died, the key is free', async () => {
  const key = freshKey()
  await using session = await app.database.db.session()
  await session.query({ text: 'BEGIN' })
  await session.query({
    text: `SELECT pg_advisory_xact_lock(hashtextextended('idempotency key operator ' || $1, 0))`,
    values: [key],
  })
  expect((await post(key, { title: 'waits' })).status).toBe(409)
  await session.query({ text: 'ROLLBACK' })
  expect((await post(key, { title: 'waits' })).status).toBe(201)
})

test('after a day a key is forgotten', async () => {
  const key = freshKey()
  const first = await post(key, { title: 'yesterday' })
  await app.database.rows(
    `UPDATE idempotency_keys SET created_at = now() - interval '25 hours' WHERE key = $1`,
    [key],
  )
  const again = await post(key, { title: 'today' })
  expect(again.status).toBe(201)
  expect(again.body.id).not.toBe(first.body.id)
  expect((await post(key, { title: 'today' })).body).toEqual(again.body)
})

test.each(['', ' ', '"', 'é', 'x'.repeat(256), 'a\tb'])('the key %j is refused', async (key) => {
  const answer = await app.send(
    'POST',
    '/tasks',
    { title: 'bad key' },
    { 'idempotency-key': encodeURI(key) === key ? key : unescape(encodeURIComponent(key)) },
  )
  expect(answer.status).toBe(422)
  expect(answer.body.errors[0].path).toBe('headers.idempotency-key')
  expect(await count(`tasks WHERE title = 'bad key'`)).toBe(0)
})

test('a key in quotes, as the draft writes it, is the same as without', async () => {
  const first = await post('"quoted-key"', { title: 'quoted' })
  expect((await post('quoted-key', { title: 'quoted' })).body).toEqual(first.body)
})

test('the keys of two users do not meet, and a key does not open what its user may not see', async () => {
  await using closed = await startTestApp({ AUTH_MODE: 'required' })
  const login = async (username: string) => {
    const { body } = await closed.send('POST', '/auth/register', {
      username,
      password: 'correct horse battery',
    })
    return { authorization: `Bearer ${body.access_token}`, 'idempotency-key': 'the same' }
  }
  const [anna, boris] = [await login('anna'), await login('boris')]
  const a = await closed.send('POST', '/tasks', { title: 'same' }, anna)
  const b = await closed.send('POST', '/tasks', { title: 'same' }, boris)
  expect([a.status, b.status]).toEqual([201, 201])
  expect(a.body.id).not.toBe(b.body.id)
})

test('a replay asks anew who may write: neither a token that only reads nor a former admin gets it', async () => {
  await using closed = await startTestApp({ AUTH_MODE: 'required' })
  const owner = await register(closed, 'olga')
  const { body: task } = await closed.send('POST', '/tasks', { title: 'x' }, bearer(owner.access_token))
  const admin = await registerAdmin(closed, 'admin')
  const key = { 'idempotency-key': 'once' }
  const patch = (token: string) =>
    closed.send('PATCH', `/tasks/${task.id}`, { title: 'secret' }, { ...bearer(token), ...key })
  expect((await patch(admin.access_token)).status).toBe(200)

  const scopes = { name: 'reader', scopes: ['read'] }
  const reader = await closed.send('POST', '/auth/tokens', scopes, bearer(admin.access_token))
  expectProblem(await patch(reader.body.token), 403)

  await closed.database.rows("UPDATE users SET role = 'user' WHERE username = 'admin'")
  const demoted = await login(closed, 'admin')
  const refused = await patch(demoted.access_token)
  expectProblem(refused, 403)
  expect(JSON.stringify(refused.body)).not.toContain('secret')
})

test('a key that is used again while the old answer is purged keeps the new one', async () => {
  const key = freshKey()
  await post(key, { title: 'long ago' })
  await app.database.rows(
    `UPDATE idempotency_keys SET created_at = now() - interval '25 hours' WHERE key = $1`,
    [key],
  )
  await using session = await app.database.db.session()
  await session.query({ text: 'BEGIN' })
  await session.query({
    text: "UPDATE idempotency_keys SET created_at = now(), answer = '{}' WHERE key = $1",
    values: [key],
  })
  const purging = purgeIdempotencyKeys(app.database.db, 5000)
  await waitsForALock(app.database)
  await session.query({ text: 'COMMIT' })
  await purging
  expect(await count(`idempotency_keys WHERE key = '${key}'`)).toBe(1)
})
