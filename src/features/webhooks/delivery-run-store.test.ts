import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { eventually } from '../../../test/support/eventually.ts'
import { waitsForALock } from '../../../test/support/locks.ts'
import { logTo } from '../../../test/support/log.ts'
import { Frame } from '../../events/frame.ts'
import { openJobQueues } from '../../platform/queue/index.ts'
import type { DeliveryQueue, WebhookRunClaim } from './delivery-queue.ts'
import { openDeliveryQueue } from './delivery-queue.ts'
import { endRun } from './delivery-run-store.ts'
import { webhookConsumer } from './webhook-consumer.ts'

const stack = new AsyncDisposableStack()
const log = logTo([])
let database: TestDatabase
let queue: DeliveryQueue
const runs: WebhookRunClaim[] = []

beforeAll(async () => {
  database = stack.use(await createTestDatabase())
  await database.rows("INSERT INTO webhooks (url, secret) VALUES ('https://receiver.invalid/', '')")
  const queues = stack.use(await openJobQueues({ connectionString: database.url }, log))
  queue = await openDeliveryQueue({ queues, log, pollMs: 10 })
  stack.use(
    queue.work(async (run) => {
      runs.push(run)
      return 'healthy'
    }),
  )
})
beforeEach(async () => {
  runs.length = 0
  await database.rows('DELETE FROM webhook_deliveries')
})
afterAll(() => stack.disposeAsync())

let events = 0
/** Consumes one event in a transaction that commits after `before`. */
function consume(before: () => Promise<void> = async () => {}): Promise<void> {
  const frame = new Frame({ id: ++events, type: 'task_deleted', audience: 'admins' }, '{}')
  return webhookConsumer({ db: database.db, queue }).take([frame], before, new AbortController().signal)
}
/** Starts a run that has nothing left to send. */
async function startedRun(): Promise<WebhookRunClaim> {
  await consume()
  const run = await eventually(() => runs[0], 'a run starts')
  await database.rows("UPDATE webhook_deliveries SET state = 'delivered'")
  return run
}
const nextRun = () => eventually(() => runs[1], 'the next run starts')
const end = (run: WebhookRunClaim, before: () => Promise<void> = async () => {}) =>
  database.db.transaction(async (transaction) => {
    await endRun(transaction, queue, run, 0)
    await before()
  })

test('the end of a run waits for an event that is being consumed and sees its delivery', async () => {
  const run = await startedRun()
  let ending: Promise<void> | undefined
  await consume(async () => {
    ending = end(run)
    await waitsForALock(database)
  })
  await ending
  await end(await nextRun())
})

test('an event that is consumed while a run ends waits for it and enqueues the next run', async () => {
  const run = await startedRun()
  let consuming: Promise<void> | undefined
  await end(run, async () => {
    consuming = consume()
    await waitsForALock(database)
  })
  await consuming
  await end(await nextRun())
})

test('no run is enqueued without a waiting delivery', async () => {
  await end(await startedRun())
  expect(await database.rows("SELECT FROM pgboss.job WHERE name = 'webhook-runs'")).toEqual([])
})
