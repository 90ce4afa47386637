import { afterAll, beforeAll, expect, test } from 'vitest'
import { bearer, PASSWORD, register, registerAdmin } from '../support/accounts.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { databaseText } from '../support/canary.ts'
import { eventually } from '../support/eventually.ts'
import { type Receiver, startReceiver, verified } from '../support/receiver.ts'

let app: TestApp
let receiver: Receiver
beforeAll(async () => {
  receiver = await startReceiver()
  app = await startTestApp({ AUTH_MODE: 'required', WEBHOOK_ALLOW: '127.0.0.1' })
})
afterAll(async () => {
  await app[Symbol.asyncDispose]()
  await receiver[Symbol.asyncDispose]()
})

let names = 0
/** Registers a user and returns a function that sends requests as this user. */
async function caller(join = register) {
  const { access_token: token, user } = await join(app, `caller${++names}`)
  const call = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
    app.send(method, path, body, { ...bearer(token), ...headers })
  return { user, call }
}
type Call = Awaited<ReturnType<typeof caller>>['call']

const example = { url: 'https://example.com/hook', types: ['task_deleted'] }
const state = (call: Call, path: string) => async () => (await call('GET', path)).body.state

test('a new webhook receives a change within a second', async () => {
  const { user, call } = await caller()
  const created = await call('POST', '/webhooks', { url: `${receiver.url}/one#part`, description: 'Mine' })
  expect(created.status).toBe(201)
  expect(created.headers.get('location')).toBe(`/webhooks/${created.body.id}`)
  expect(created.headers.get('cache-control')).toBe('no-store')
  expect(created.body).toEqual({
    id: expect.any(Number),
    url: `${receiver.url}/one`,
    types: null,
    description: 'Mine',
    enabled: true,
    disabled_reason: null,
    failing_since: null,
    old_secret_until: null,
    user_id: user.id,
    created_at: expect.stringMatching(/Z$/),
    updated_at: null,
    secret: expect.stringMatching(/^whsec_/),
  })
  const { secret, ...shown } = created.body
  expect((await call('GET', `/webhooks/${shown.id}`)).body).toEqual(shown)
  const list = await call('GET', '/webhooks')
  expect([list.body, list.headers.get('x-total-count')]).toEqual([[shown], '1'])

  const task = await call('POST', '/tasks', { title: 'Told' })
  await eventually(() => receiver.ids('/one').length === 1, 'the event arrives')
  const message = receiver.received.find(({ path }) => path === '/one')!
  const event = verified(secret, message) as { id: string }
  expect(event).toMatchObject({ type: 'task_created', data: { task: task.body } })
  const stream = await call('GET', '/events?after=0', undefined, { accept: 'application/json' })
  expect(stream.body.events.find(({ id }: { id: string }) => id === event.id)).toEqual(event)

  await eventually(
    async () => (await call('GET', `/webhooks/${shown.id}/deliveries`)).body[0].attempts,
    'log',
  )
  const [delivery] = (await call('GET', `/webhooks/${shown.id}/deliveries`)).body
  expect(delivery).toMatchObject({
    event_id: event.id,
    state: 'delivered',
    attempts: 1,
    response_status: 204,
  })
  const path = `/webhooks/${shown.id}/deliveries/${delivery.id}`
  expect((await call('GET', path)).body).toEqual({ ...delivery, event })

  const again = await call('POST', `${path}/redeliver`)
  expect([again.status, again.headers.get('location')]).toEqual([202, path])
  await eventually(() => receiver.ids('/one').length === 2, 'it is sent again')
  expect(receiver.ids('/one')).toEqual([event.id, event.id])
  const tried = await call('POST', `/webhooks/${shown.id}/test`)
  expect([tried.status, tried.body.type]).toEqual([202, 'webhook_test'])
  await eventually(() => receiver.ids('/one').length === 3, 'the test message arrives')

  const renewed = await call('POST', `/webhooks/${shown.id}/secret`)
  expect(renewed.body).toMatchObject({ id: shown.id, old_secret_until: expect.stringMatching(/Z$/) })
  expect(renewed.body.secret).not.toBe(secret)
  expect((await call('DELETE', `/webhooks/${shown.id}`)).status).toBe(204)
  for (const gone of [`/webhooks/${shown.id}`, path, `/webhooks/${shown.id}/deliveries`]) {
    expect((await call('GET', gone)).status).toBe(404)
  }
})

test.each([
  [{}, 'body.url', 'is required'],
  [{ url: '' }, 'body.url', 'must not be empty'],
  [{ url: 'x'.repeat(2001) }, 'body.url', 'must have at most 2000 characters'],
  [{ url: 'example.com/hook' }, 'body.url', 'must be an http or https URL'],
  [{ url: 'ftp://example.com/' }, 'body.url', 'must be an http or https URL'],
  [{ url: 'file:///etc/passwd' }, 'body.url', 'must be an http or https URL'],
  [{ url: 'https://' }, 'body.url', 'must be an http or https URL'],
  [{ url: 'https://me@example.com/' }, 'body.url', 'must not contain a user or a password'],
  [{ url: 'https://:pass@example.com/' }, 'body.url', 'must not contain a user or a password'],
  [{ url: 'https://example.com/\0' }, 'body.url', 'must not contain NUL or half a surrogate pair'],
  ...[
    'http://localhost:8000/',
    'http://app.localhost/',
    'http://127.1.2.3/',
    'http://0x7f000002/',
    'http://[::1]/',
    'http://192.168.0.1/',
    'http://169.254.169.254/',
    'http://[fd00::1]/',
    'http://0.0.0.0/',
  ].map((url) => [{ url }, 'body.url', 'must have a public address unless WEBHOOK_ALLOW lists the host']),
  [{ ...example, types: [] }, 'body.types', /at least/],
  [{ ...example, types: ['task_created', 'task_created'] }, 'body.types', /twice/],
  [{ ...example, types: ['webhook_test'] }, 'body.types.0', /must be one of task_created/],
  [{ ...example, types: 'task_created' }, 'body.types', 'must be an array or null'],
  [{ ...example, description: 'x'.repeat(501) }, 'body.description', 'must have at most 500 characters'],
  [{ ...example, secret: 'whsec_mine' }, 'body.secret', 'is not a known field'],
  [{ ...example, user_id: 1 }, 'body.user_id', 'is not a known field'],
] as [object, string, string | RegExp][])('%j is rejected', async (body, path, message) => {
  const { call } = await caller()
  const answer = await call('POST', '/webhooks', body)
  expect([answer.status, answer.body.errors[0].path]).toEqual([422, path])
  expect(answer.body.errors[0].message).toMatch(message)
  expect((await call('GET', '/webhooks')).body).toEqual([])
  const { body: created } = await call('POST', '/webhooks', example)
  if (!('url' in body)) return
  expect((await call('PATCH', `/webhooks/${created.id}`, body)).status).toBe(422)
  expect((await call('GET', `/webhooks/${created.id}`)).body).toMatchObject({ ...example, updated_at: null })
})

test('PATCH changes single fields, and a PATCH without a difference changes nothing', async () => {
  const { call } = await caller()
  const { body: created } = await call('POST', '/webhooks', example)
  const { secret: _secret, ...before } = created
  const patch = async (body: object) => (await call('PATCH', `/webhooks/${created.id}`, body)).body
  expect(await patch({})).toEqual(before)
  expect(await patch(example)).toEqual(before)
  expect(await patch({ enabled: true })).toEqual(before)
  expect(await patch({ types: null })).toMatchObject({ types: null, updated_at: expect.any(String) })
  expect(await patch({ description: 'x' })).toMatchObject({ types: null, description: 'x', url: example.url })
  expect(await patch({ description: null, enabled: false })).toMatchObject({
    description: null,
    enabled: false,
  })
  for (const path of ['test', 'deliveries/1/redeliver']) {
    expect((await call('POST', `/webhooks/${created.id}/${path}`)).status).toBe(409)
  }
  expect(await patch({ enabled: true, types: ['task_created'] })).toMatchObject({
    enabled: true,
    types: ['task_created'],
  })
  const changes = app.logged.filter(
    ({ msg, webhookId }) => msg === 'webhook changed' && webhookId === created.id,
  )
  expect(changes.map(({ fields }) => fields)).toEqual([
    ['types'],
    ['description'],
    ['description', 'enabled'],
    ['enabled', 'types'],
  ])
})

test('a user can create at most twenty webhooks, also concurrently', async () => {
  const { call } = await caller()
  const answers = await Promise.all(Array.from({ length: 30 }, () => call('POST', '/webhooks', example)))
  const statuses = answers.map(({ status }) => status).sort()
  expect(statuses).toEqual([...Array(20).fill(201), ...Array(10).fill(409)])
  expect((await call('GET', '/webhooks')).headers.get('x-total-count')).toBe('20')
  expect((await call('GET', '/webhooks?skip=15&limit=3')).body).toHaveLength(3)
  expect((await (await caller()).call('POST', '/webhooks', example)).status).toBe(201)
})

test('an admin sees and deletes the webhooks of all users', async () => {
  const [anna, root] = [await caller(), await caller(registerAdmin)]
  const { body: created } = await anna.call('POST', '/webhooks', example)
  const { body: all } = await root.call('GET', '/webhooks?limit=1000')
  expect(all.map(({ id }: { id: number }) => id)).toContain(created.id)
  const patched = await root.call('PATCH', `/webhooks/${created.id}`, { enabled: false })
  expect(patched.body).toMatchObject({ enabled: false, user_id: anna.user.id })
  expect((await root.call('DELETE', `/webhooks/${created.id}`)).status).toBe(204)
  expect((await anna.call('GET', '/webhooks')).body).toEqual([])
})

test('with an Idempotency-Key a webhook is created once and the response, secret included, is repeated', async () => {
  const { call } = await caller()
  const key = { 'idempotency-key': 'make it once' }
  const first = await call('POST', '/webhooks', example, key)
  const again = await call('POST', '/webhooks', example, key)
  expect([first.status, again.status]).toEqual([201, 201])
  expect(again.headers.get('idempotency-replayed')).toBe('true')
  expect(again.body).toEqual(first.body)
  expect((await call('GET', '/webhooks')).body).toHaveLength(1)
  expect((await call('POST', '/webhooks', { ...example, types: null }, key)).status).toBe(422)

  const path = `/webhooks/${first.body.id}`
  const renewing = { 'idempotency-key': 'renew it once' }
  const renewed = await call('POST', `${path}/secret`, undefined, renewing)
  expect((await call('POST', `${path}/secret`, undefined, renewing)).body).toEqual(renewed.body)
  const testing = { 'idempotency-key': 'test it once' }
  const tested = await call('POST', `${path}/test`, undefined, testing)
  expect((await call('POST', `${path}/test`, undefined, testing)).body).toEqual(tested.body)
  expect((await call('GET', `${path}/deliveries`)).body).toHaveLength(1)
  const ending = { 'idempotency-key': 'end it once' }
  expect((await call('DELETE', path, undefined, ending)).status).toBe(204)
  expect((await call('DELETE', path, undefined, ending)).status).toBe(204)
  expect((await call('DELETE', path)).status).toBe(404)
})

test('no secret appears in the database, the log or another response, and no path of a URL in the log', async () => {
  const { call } = await caller()
  const url = `${receiver.url}/canary-path?token=canary-query`
  const key = { 'idempotency-key': 'hidden' }
  const { body: created } = await call('POST', '/webhooks', { url }, key)
  const { body: renewed } = await call('POST', `/webhooks/${created.id}/secret`, undefined, {
    'idempotency-key': 'hidden too',
  })
  receiver.answer(500)
  await call('POST', '/tasks', { title: 'Sent and failed' })
  const { body: tested } = await call('POST', `/webhooks/${created.id}/test`)
  await eventually(() => receiver.ids('/canary-path?token=canary-query').length >= 2, 'both are sent')
  receiver.answer(204)
  await eventually(state(call, `/webhooks/${created.id}/deliveries/${tested.id}`), 'it is recorded')
  const shown: unknown[] = []
  for (const path of ['', '/deliveries', `/deliveries/${tested.id}`]) {
    shown.push((await call('GET', `/webhooks/${created.id}${path}`)).body)
  }
  await call('PATCH', `/webhooks/${created.id}`, { url: `${url}2` })
  await call('DELETE', `/webhooks/${created.id}`)
  const stored = await databaseText(app.database.url)
  const logged = JSON.stringify(app.logged)
  for (const secret of [created.secret, renewed.secret].map((one) => one.slice('whsec_'.length))) {
    for (const text of [stored, logged, JSON.stringify(shown)]) expect(text).not.toContain(secret)
  }
  expect(stored).toContain('hidden too')
  expect(logged).toContain(`"receiver":"${receiver.url}"`)
  for (const part of ['canary-path', 'canary-query', PASSWORD]) expect(logged).not.toContain(part)
  const messages = app.logged.filter(({ webhookId }) => webhookId === created.id).map(({ msg }) => msg)
  expect(messages).toEqual(
    expect.arrayContaining([
      'webhook created',
      'webhook secret renewed',
      'webhook tested',
      'webhook started to fail',
      'webhook changed',
      'webhook deleted',
    ]),
  )
})

test('the delivery log is paged from the newest on, also by state', async () => {
  const { call } = await caller()
  const { body: created } = await call('POST', '/webhooks', { url: `${receiver.url}/pages` })
  for (let i = 0; i < 7; i++) await call('POST', `/webhooks/${created.id}/test`)
  await eventually(() => receiver.ids('/pages').length === 7, 'all are sent')
  const log = `/webhooks/${created.id}/deliveries`
  await eventually(
    async () => (await call('GET', `${log}?state=delivered`)).body.length === 7,
    'all are recorded',
  )
  const ids: number[] = []
  for (let path: string | undefined = `${log}?limit=3&state=delivered`; path; ) {
    const { body, headers } = await call('GET', path)
    expect(body.length).toBeLessThanOrEqual(3)
    ids.push(...body.map(({ id }: { id: number }) => id))
    path = /^<(.+)>; rel="next"$/.exec(headers.get('link') ?? '')?.[1]
  }
  expect(ids).toHaveLength(7)
  expect(ids).toEqual([...ids].sort((a, b) => b - a))
  expect((await call('GET', `${log}?state=failed`)).body).toEqual([])
  for (const query of ['limit=0', 'limit=1001', 'before=0', 'state=lost', 'after=1']) {
    expect((await call('GET', `${log}?${query}`)).status).toBe(422)
  }
  const other = await call('POST', '/webhooks', example)
  expect((await call('GET', `/webhooks/${other.body.id}/deliveries/${ids[0]}`)).status).toBe(404)
  expect((await call('POST', `/webhooks/${other.body.id}/deliveries/${ids[0]}/redeliver`)).status).toBe(404)
})
