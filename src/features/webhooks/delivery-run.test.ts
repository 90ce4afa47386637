import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { eventually } from '../../../test/support/eventually.ts'
import { type Receiver, startReceiver } from '../../../test/support/receiver.ts'
import { type Harness, useHarness } from '../../../test/support/webhook-harness.ts'
import { operator } from '../../core/actor.ts'

let harness: Harness
let receiver: Receiver
useHarness((...created) => {
  ;[harness, receiver] = created
})

const allDelivered = (webhookId: number) =>
  eventually(
    async () => (await harness.deliveries(webhookId)).every(({ state }) => state === 'delivered'),
    'all are delivered',
    20_000,
  )
const random = (most: number) => delay(Math.random() * most)

test('events that arrive at any moment of a run are each sent once by two processes', async () => {
  const second = await harness.startWorker()
  const { id } = await harness.create(receiver.url)
  receiver.answer((response) => void random(4).then(() => response.writeHead(204).end()))
  const published: string[] = []
  for (let round = 0; round < 80; round++) {
    published.push(...(await harness.publish(1 + Math.floor(Math.random() * 3))))
    await random(25)
  }
  await allDelivered(id)
  expect(
    receiver
      .ids()
      .map(Number)
      .sort((a, b) => a - b),
  ).toEqual(published.map(Number))
  const attempts = (await harness.deliveries(id)).map(({ attempts }) => attempts)
  expect(new Set(attempts)).toEqual(new Set([1]))
  await second.stop()
})

test('after a stop in the middle the next process sends the rest, aborted attempts included', async () => {
  const { id } = await harness.create(receiver.url)
  let hangs = true
  receiver.answer((response, { id }) => {
    if (!hangs || Number(id) % 10 !== 0) response.writeHead(204).end()
  })
  const published = await harness.publish(60)
  await eventually(() => receiver.received.length > 20, 'some are sent')
  hangs = false
  await harness.restart()
  await allDelivered(id)
  expect([...new Set(receiver.ids())].sort()).toEqual([...published].sort())
})

test('a short outage of the database loses nothing', async () => {
  const { id } = await harness.create(receiver.url)
  const published: string[] = []
  const cut = () =>
    harness.database.rows(
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
    )
  for (let round = 0; round < 5; round++) {
    const more = await eventually(() => harness.publish(20).catch(() => undefined), 'they are published')
    published.push(...more)
    await random(30)
    await cut().catch(() => {})
  }
  // The claim of a run whose end could not be recorded expires first.
  await harness.database.rows(
    "UPDATE pgboss.job SET started_on = started_on - interval '1 hour' WHERE state = 'active'",
  )
  await harness.restart()
  await harness.database.rows('UPDATE pgboss.queue SET monitor_on = NULL, monitor_claim_on = NULL')
  await harness.worker.queues.get('webhook-runs').supervise()
  await allDelivered(id)
  // A commit whose response was lost is not known here, but its event is sent.
  const kept = (await harness.deliveries(id)).map(({ event_id }) => String(event_id))
  expect(new Set(receiver.ids())).toEqual(new Set(kept))
  expect(new Set(published).isSubsetOf(new Set(kept))).toBe(true)
})

test('the next start sends waiting deliveries whose jobs were lost', async () => {
  receiver.answer(500)
  const { id } = await harness.create(receiver.url)
  await harness.publish(3)
  await eventually(() => receiver.received.length > 0, 'an attempt is made')
  await harness.worker.stop()
  await harness.database.rows("DELETE FROM pgboss.job WHERE name = 'webhook-runs'")
  await harness.database.rows(
    "UPDATE webhook_deliveries SET state = 'waiting', next_attempt_at = now() WHERE webhook_id = $1",
    [id],
  )
  receiver.answer(204)
  await harness.restart()
  await allDelivered(id)
})

test('a delivery in any state can be redelivered', async () => {
  const { deliveries } = harness.services()
  const { id } = await harness.create(receiver.url)
  const [event] = await harness.publish()
  const { id: delivered } = await harness.delivery(id, { state: 'delivered' })
  expect(await deliveries.redeliver(operator, id, delivered)).toMatchObject({ state: 'waiting', attempts: 1 })
  await harness.delivery(id, { state: 'delivered', attempts: 2 })

  receiver.answer(500)
  await deliveries.redeliver(operator, id, delivered)
  await harness.delivery(id, { state: 'failed', attempts: 6, response_status: 500 })

  // A delivery that waits for its next attempt is sent now.
  await harness.database.rows(
    "UPDATE webhook_deliveries SET state = 'waiting', next_attempt_at = now() + interval '1 hour'",
  )
  receiver.answer(204)
  await deliveries.redeliver(operator, id, delivered)
  await harness.delivery(id, { state: 'delivered', attempts: 7, error: null })
  expect(new Set(receiver.ids())).toEqual(new Set([event]))
})

test('a test message is signed and logged like an event and has its own type', async () => {
  const { id } = await harness.create(receiver.url, ['task_created'])
  const delivery = await harness.services().deliveries.test(operator, id)
  expect(delivery).toMatchObject({ state: 'waiting', type: 'webhook_test', attempts: 0 })
  await harness.delivery(id, { state: 'delivered' })
  expect(JSON.parse(receiver.received[0]!.body)).toEqual({
    id: delivery.event_id,
    type: 'webhook_test',
    at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/),
    data: { webhook_id: id },
  })
  expect(receiver.ids()).toEqual([delivery.event_id])
})

test('a webhook that is deleted during a run receives nothing more and leaves no job', async () => {
  receiver.answer((response) => void random(20).then(() => response.writeHead(204).end()))
  const { id } = await harness.create(receiver.url)
  await harness.publish(100)
  await eventually(() => receiver.received.length > 5, 'some are sent')
  await harness.services().webhooks.remove(operator, id)
  const left = async () =>
    (await harness.database.rows("SELECT FROM pgboss.job WHERE name = 'webhook-runs'")).length
  await eventually(async () => (await left()) === 0, 'no job is left')
  expect(receiver.received.length).toBeLessThan(100)
  expect(await harness.deliveries(id)).toEqual([])
})

test('after a change of the URL waiting deliveries are sent there at once', async () => {
  await using other = await startReceiver()
  receiver.answer((response) => response.writeHead(503, { 'retry-after': '60' }).end())
  const { id } = await harness.create(receiver.url)
  await harness.publish()
  await harness.delivery(id, { attempts: 1 })
  const published = await harness.publish(2)
  await harness.services().webhooks.change(operator, id, { url: other.url })
  await eventually(() => other.received.length === 2, 'they arrive at the new URL')
  expect(other.ids()).toEqual(published)
  expect(receiver.received).toHaveLength(1)
})
