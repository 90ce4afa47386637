import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { login, PASSWORD, register } from '../../../test/support/accounts.ts'
import { startTestApp, type TestApp } from '../../../test/support/app.ts'
import { createClient, type TaskwireError, type Tokens } from '../src/index.ts'
import { startReader } from './support/reader.ts'

// The client against the server itself.

let app: TestApp
let secured: TestApp
beforeAll(async () => {
  app = await startTestApp()
  secured = await startTestApp({ AUTH_MODE: 'required' })
})
afterAll(async () => {
  await app[Symbol.asyncDispose]()
  await secured[Symbol.asyncDispose]()
})

const soon = { timeout: 10_000, interval: 5 }
const lastId = async () => {
  const [row] = await app.database.rows<{ id: number }>('SELECT coalesce(max(id), 0) AS id FROM events')
  return row!.id
}

test('a task from its creation to the trash and back', async () => {
  const { tasks } = createClient({ url: app.url })
  const created = await tasks.create({ title: ' Write it ', city: null })
  expect(created).toMatchObject({ title: 'Write it', status: 'todo', version: 1 })
  expect(await tasks.get(created.id)).toEqual(created)
  const changed = await tasks.update(created.id, { status: 'in_progress' }, { ifMatch: created.version })
  expect([changed.status, changed.version]).toEqual(['in_progress', 2])
  const replaced = await tasks.replace(created.id, { title: 'Anew' }, { ifMatch: '"2"' })
  expect([replaced.status, replaced.version]).toEqual(['todo', 3])
  expect(await tasks.list({ status: ['todo'], sort: '-id', limit: 1 })).toEqual([replaced])
  expect(await tasks.delete(created.id)).toBe(undefined)
  await expect(tasks.get(created.id)).rejects.toMatchObject({ status: 404 })
  expect((await tasks.restore(created.id)).title).toBe('Anew')
})

test('a refusal is an error with what the server says of it', async () => {
  const { tasks } = createClient({ url: app.url })
  const { id } = await tasks.create({ title: 'x' })
  const stale: TaskwireError = await tasks.update(id, { title: 'y' }, { ifMatch: 7 }).catch((error) => error)
  expect([stale.status, stale.problem!.instance]).toEqual([412, `/tasks/${id}`])
  const headers = { 'x-request-id': 'r-7' }
  const wrong: TaskwireError = await tasks.create({ title: ' ' }, { headers }).catch((error) => error)
  expect([wrong.status, wrong.message]).toEqual([422, wrong.problem!.detail])
  expect(wrong.problem!.errors).toEqual([{ path: 'body.title', message: expect.any(String) }])
  expect([stale.requestId, wrong.requestId]).toEqual([expect.stringMatching(/./), 'r-7'])
})

test('a key that was used is answered the same', async () => {
  const { tasks, request } = createClient({ url: app.url })
  const idempotencyKey = 'a key of my own'
  const first = await tasks.create({ title: 'once' }, { idempotencyKey })
  expect(await tasks.create({ title: 'once' }, { idempotencyKey })).toEqual(first)
  const { headers, status } = await request('POST /tasks', { body: { title: 'once' }, idempotencyKey })
  expect([status, headers.get('idempotency-replayed')]).toEqual([201, 'true'])
})

test('any other operation, with its headers', async () => {
  const { request } = createClient({ url: app.url })
  const { data } = await request('GET /importers')
  expect(data.map(({ name }) => name)).toEqual(['todos', 'currencies'])
  expect((await request('GET /tasks', { query: { limit: 1 } })).headers.get('x-total-count')).toMatch(/^\d+$/)
  const { data: page } = await request('GET /events', { query: { after: 0, limit: 2 } })
  expect([page.events.length, page.more]).toEqual([2, true])
})

test('events come live, of the types that were asked for, and narrow by their type', async () => {
  const client = createClient({ url: app.url })
  const reader = startReader(client, { types: ['task_created', 'task_deleted'] })
  await vi.waitFor(() => expect(reader.states.at(-1)!.state).toBe('live'), soon)
  const { id } = await client.tasks.create({ title: 'live' })
  await client.tasks.update(id, { title: 'unheard' })
  await client.tasks.delete(id)
  await vi.waitFor(() => expect(reader.items.length).toBe(2), soon)
  const [created, deleted] = reader.items
  if (created?.type !== 'task_created' || deleted?.type !== 'task_deleted') throw new Error('other types')
  expect([created.data.task.title, deleted.data.task_id]).toEqual(['live', id])
})

test('what was missed comes first, once', async () => {
  const client = createClient({ url: app.url })
  const after = await lastId()
  for (let i = 0; i < 5; i++) await client.tasks.create({ title: `missed ${i}` })
  const reader = startReader(client, { after })
  await vi.waitFor(() => expect(reader.items.length).toBe(5), soon)
  await client.tasks.create({ title: 'live' })
  await vi.waitFor(() => expect(reader.items.length).toBe(6), soon)
  const ids = reader.ids().map(Number)
  expect(ids).toEqual(ids.toSorted((a, b) => a - b))
  expect(new Set(ids).size).toBe(6)
})

test('where events are no longer kept the client is told to read anew', async () => {
  await using other = await startTestApp()
  const client = createClient({ url: other.url })
  await client.tasks.create({ title: 'old' })
  await other.database.rows('UPDATE event_horizon SET purged_to = (SELECT max(id) FROM events)')
  const reader = startReader(client, { after: 0 })
  await vi.waitFor(() => expect(reader.items.length).toBe(1), soon)
  await client.tasks.create({ title: 'new' })
  await vi.waitFor(() => expect(reader.items.length).toBe(2), soon)
  expect(reader.items).toMatchObject([{ type: 'reset', after: '0' }, { data: { task: { title: 'new' } } }])
  reader.stop()
  expect(await reader.done).toBe(undefined)
})

test('a type that there is not ends the stream with what the server says', async () => {
  const reader = startReader(createClient({ url: app.url }), { types: ['nonsense' as 'task_created'] })
  expect(await reader.done).toMatchObject({ status: 422, message: expect.stringMatching(/nonsense/) })
})

test('without a token, and with a wrong one', async () => {
  for (const token of [undefined, 'tw_nonsense']) {
    const client = createClient({ url: secured.url, token })
    await expect(client.tasks.list()).rejects.toMatchObject({ status: 401 })
    expect(await startReader(client).done).toMatchObject({ status: 401 })
  }
})

/** A session in memory, and how often it was renewed. */
function sessionOf(tokens: Tokens) {
  const session = {
    tokens: tokens as Tokens | undefined,
    renewals: 0,
    load: () => session.tokens,
    save(next: Tokens | undefined) {
      session.tokens = next
      session.renewals++
    },
  }
  return session
}

test('a session goes on by itself, refreshed once for all who need it, and its stream too', async () => {
  const session = sessionOf({ ...(await register(secured, 'anna')), access_token: 'expired' })
  const client = createClient({ url: secured.url, session })
  const reader = startReader(client, { after: 0 })
  const lists = await Promise.all(Array.from({ length: 8 }, () => client.tasks.list()))
  expect([lists.length, session.renewals]).toEqual([8, 1])
  const { id } = await client.tasks.create({ title: 'of anna' })
  await vi.waitFor(() => expect(reader.items.at(-1)).toMatchObject({ data: { task: { id } } }), soon)

  // The password is changed elsewhere: the session is over.
  const { access_token: token } = await login(secured, 'anna')
  await createClient({ url: secured.url, token }).request('POST /auth/password', {
    body: { current_password: PASSWORD, new_password: `${PASSWORD} anew` },
  })
  expect(await reader.done).toMatchObject({ status: 401 })
  expect(session.tokens).toBe(undefined)
})

test('login gives what a session needs', async () => {
  await register(secured, 'boris')
  const { request } = createClient({ url: secured.url })
  const { data } = await request('POST /auth/login', { body: { username: 'boris', password: PASSWORD } })
  const client = createClient({ url: secured.url, session: sessionOf(data) })
  expect((await client.request('GET /auth/me')).data.username).toBe('boris')
  const { data: made } = await client.request('POST /auth/tokens', { body: { name: 'ci', scopes: ['read'] } })
  const reader = createClient({ url: secured.url, token: () => made.token })
  await expect(reader.tasks.create({ title: 'x' })).rejects.toMatchObject({ status: 403 })
  expect(await reader.tasks.list()).toEqual([])
})

test('a server that goes away: the stream waits for it, and requests say why they fail', async () => {
  const first = await startTestApp()
  const client = createClient({ url: first.url })
  const reader = startReader(client)
  await vi.waitFor(() => expect(reader.states.at(-1)!.state).toBe('live'), soon)
  await client.tasks.create({ title: 'before' })
  await vi.waitFor(() => expect(reader.items.length).toBe(1), soon)
  await first[Symbol.asyncDispose]()
  await vi.waitFor(() => expect(reader.states.at(-1)!.state).toBe('waiting'), soon)
  const error: TaskwireError = await createClient({ url: first.url, retries: 0 })
    .tasks.list()
    .catch((e) => e)
  expect([error.status, error.message]).toEqual([0, expect.stringMatching(/ECONNREFUSED/)])
})
