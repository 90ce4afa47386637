import { expect, test } from 'vitest'
import { eventually } from '../../../test/support/eventually.ts'
import { type Receiver, startReceiver, verified } from '../../../test/support/receiver.ts'
import { type Harness, useHarness } from '../../../test/support/webhook-harness.ts'
import { operator } from '../../core/actor.ts'

let harness: Harness
let receiver: Receiver
useHarness((...created) => {
  ;[harness, receiver] = created
})

const lines = (msg: string, webhookId: number) =>
  harness.logged.filter((line) => line.msg === msg && line.webhookId === webhookId)

/** The receiver responds with the status that is the path. */
const byPath: Parameters<Receiver['answer']>[0] = (response, { path }) =>
  response.writeHead(Number(path.slice(1, 4))).end()

test('any status from 200 to 299 is a success', async () => {
  receiver.answer(byPath)
  for (const status of [200, 201, 202, 204, 299]) {
    const { id, secret } = await harness.create(`${receiver.url}/${status}?key=1`, ['task_created'])
    const [event] = await harness.publish(1, { type: 'task_created' })
    const row = await harness.delivery(id, { state: 'delivered', attempts: 1, response_status: status })
    expect(row).toMatchObject({ event_id: event, error: null, next_attempt_at: null })
    const message = receiver.received.find(({ path }) => path === `/${status}?key=1`)
    expect(verified(secret, message!)).toMatchObject({ id: event, type: 'task_created' })
    expect(message!.headers).toMatchObject({
      'webhook-id': event,
      'content-type': 'application/json',
      'user-agent': 'taskwire',
    })
  }
})

test('any other status is retried on the schedule with the same id', async () => {
  receiver.answer(byPath)
  const statuses = [300, 302, 304, 400, 401, 404, 409, 429, 499, 500, 502, 503, 599]
  const created = await Promise.all(statuses.map((status) => harness.create(`${receiver.url}/${status}`)))
  const [event] = await harness.publish()
  for (const [i, status] of statuses.entries()) {
    const { id, secret } = created[i]!
    const error = status < 400 ? `status ${status}: redirects are not followed` : `status ${status}`
    await harness.delivery(id, { state: 'failed', attempts: 4, response_status: status, error })
    const messages = receiver.received.filter(({ path }) => path === `/${status}`)
    expect(messages.map(({ id }) => id)).toEqual([event, event, event, event])
    for (const message of messages) verified(secret, message)
    expect(await harness.webhook(id)).toMatchObject({ enabled: true, failing_since: expect.any(String) })
    expect(lines('webhook started to fail', id)).toHaveLength(1)
  }
})

test('redirects are not followed', async () => {
  await using elsewhere = await startReceiver()
  receiver.answer((response) => response.writeHead(307, { location: elsewhere.url }).end())
  const { id } = await harness.create(receiver.url)
  await harness.publish()
  await harness.delivery(id, { state: 'failed', response_status: 307 })
  expect(elsewhere.received).toEqual([])
})

test('a delivery that fails first is delivered later, and the webhook recovers', async () => {
  let failures = 2
  receiver.answer((response) => response.writeHead(failures-- > 0 ? 500 : 200).end())
  const { id } = await harness.create(receiver.url)
  await harness.publish()
  await harness.delivery(id, { state: 'delivered', attempts: 3, response_status: 200, error: null })
  expect(await harness.webhook(id)).toMatchObject({ failing_since: null })
  expect(lines('webhook works again', id)).toHaveLength(1)
})

test('status 410 disables the webhook and fails its waiting deliveries', async () => {
  receiver.answer(410)
  const { id } = await harness.create(receiver.url)
  await harness.publish(20)
  await eventually(
    async () => (await harness.deliveries(id)).every(({ state }) => state === 'failed'),
    'all are over',
  )
  expect(await harness.webhook(id)).toMatchObject({
    enabled: false,
    disabled_reason: 'the receiver responded 410 Gone',
  })
  expect(receiver.received).toHaveLength(1)
  const [first, ...others] = await harness.deliveries(id)
  expect(first).toMatchObject({ attempts: 1, response_status: 410, error: 'status 410' })
  for (const one of others) expect(one).toMatchObject({ attempts: 0, error: 'the webhook is disabled' })
  expect(lines('webhook disabled', id)).toMatchObject([{ reason: 'the receiver responded 410 Gone' }])
  await harness.publish()
  expect(await harness.deliveries(id)).toHaveLength(20)
})

test('an attempt at a hanging receiver times out and is retried', async () => {
  await harness.restart(undefined, { timeoutMs: 300 })
  receiver.answer(() => {})
  const { id } = await harness.create(receiver.url)
  await harness.publish()
  await harness.delivery(id, { attempts: 1, response_status: null, error: 'no answer within 0.3 s' })
  receiver.answer(204)
  await harness.delivery(id, { state: 'delivered', response_status: 204, error: null })
  await harness.restart()
})

test('Retry-After delays all deliveries of the webhook', async () => {
  receiver.answer((response) => response.writeHead(503, { 'retry-after': '1' }).end())
  const { id } = await harness.create(receiver.url)
  await harness.publish()
  await eventually(() => receiver.received.length === 1, 'the first attempt')
  const first = receiver.received[0]!.at
  receiver.answer(204)
  await harness.publish(3)
  await eventually(() => receiver.received.length === 5, 'all arrive', 5_000)
  const after = receiver.received.slice(1).map(({ id, at }) => ({ id, wait: at - first }))
  // The pause of the webhook has an upper bound, the wait of the delivery itself a larger one.
  expect(Math.min(...after.map(({ wait }) => wait))).toBeGreaterThanOrEqual(450)
  expect(after.find(({ id }) => id === receiver.received[0]!.id)!.wait).toBeGreaterThanOrEqual(950)
  await eventually(
    async () => (await harness.deliveries(id)).every(({ state }) => state === 'delivered'),
    'all are recorded',
  )
})

test('a receiver that is down gets one attempt at a time, and all waiting deliveries at once when it recovers', async () => {
  const { id } = await harness.create(receiver.url)
  let open = 0
  let most = 0
  receiver.answer((_response, _received, request) => {
    most = Math.max(most, ++open)
    request.socket.destroy()
    open--
  })
  const ids = await harness.publish(200)
  await eventually(() => receiver.received.length >= 3, 'an attempt is made')
  expect(most).toBe(1)
  const waiting = (await harness.deliveries(id)).filter(({ attempts }) => attempts === 0)
  expect(waiting.length).toBeGreaterThan(150)
  receiver.received.length = 0
  receiver.answer(204)
  await eventually(
    async () => (await harness.deliveries(id)).every(({ state }) => state === 'delivered'),
    'all are delivered',
  )
  expect(receiver.ids().sort()).toEqual([...ids].sort())
})

test('deliveries start in the order of the events', async () => {
  await harness.create(receiver.url)
  const ids = (await harness.publish(300)).map(Number)
  await eventually(() => receiver.received.length === 300, 'all arrive')
  const came = receiver.ids().map(Number)
  expect([...came].sort((a, b) => a - b)).toEqual(ids)
  // Four attempts run at a time.
  for (const [index, id] of came.entries()) expect(Math.abs(index - ids.indexOf(id))).toBeLessThan(4)
})

test('slow and hanging receivers do not delay other webhooks', async () => {
  await harness.restart(undefined, { timeoutMs: 1_000 })
  await using hanging = await startReceiver()
  await harness.create(receiver.url, ['task_created'])
  hanging.answer(() => {})
  // More failing webhooks than slots.
  const { id } = await harness.create(hanging.url)
  await harness.database.rows(
    'INSERT INTO webhooks (url, secret) SELECT url || n, secret FROM webhooks, generate_series(1, 39) n WHERE id = $1',
    [id],
  )
  await harness.publish(5)
  await eventually(() => new Set(hanging.received.map(({ path }) => path)).size === 40, 'all hang')
  const began = performance.now()
  await harness.publish(20, { type: 'task_created' })
  await eventually(() => receiver.received.length === 20, 'the quick receiver gets its events')
  expect(performance.now() - began).toBeLessThan(2_500)
  await harness.restart()
})

test('a webhook that has failed for five days is disabled when a delivery runs out of attempts', async () => {
  receiver.answer(500)
  const { id } = await harness.create(receiver.url)
  const failingFor = (time: string) =>
    harness.database.rows(`UPDATE webhooks SET failing_since = now() - $2::interval WHERE id = $1`, [
      id,
      time,
    ])
  await failingFor('4 days 23 hours')
  await harness.publish()
  await harness.delivery(id, { state: 'failed', attempts: 4 })
  expect(await harness.webhook(id)).toMatchObject({ enabled: true })
  await failingFor('5 days 1 hour')
  await harness.publish()
  await eventually(async () => !(await harness.webhook(id)).enabled, 'it is disabled')
  expect((await harness.webhook(id)).disabled_reason).toBe(
    'every delivery has failed for 5 days, the last one with: status 500',
  )
  expect(receiver.received).toHaveLength(8)

  receiver.answer(204)
  await harness.services().webhooks.change(operator, id, { enabled: true })
  expect(await harness.webhook(id)).toMatchObject({
    enabled: true,
    disabled_reason: null,
    failing_since: null,
  })
  await harness.publish()
  await eventually(() => receiver.received.length === 9, 'all are retried')
})
