import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { eventually } from '../../../test/support/eventually.ts'
import { waitsForALock } from '../../../test/support/locks.ts'
import { logTo } from '../../../test/support/log.ts'
import { Frame } from '../../events/frame.ts'
import { startBoss } from '../../platform/queue/boss.ts'
import type { DeliveryQueue, WebhookRunClaim } from './delivery-queue.ts'
import { endRun } from './delivery-run-store.ts'
import { webhookConsumer } from './webhook-consumer.ts'
import { openDeliveryQueue } from './webhook-run-queue.ts'

const stack = new AsyncDisposableStack()
const log = logTo([])
let database: TestDatabase
let queue: DeliveryQueue
const taken: WebhookRunClaim[] = []

beforeAll(async () => {
  database = stack.use(await createTestDatabase())
  await database.rows("INSERT INTO webhooks (url, secret) VALUES ('https://receiver.invalid/', '')")
  const boss = await startBoss({ connectionString: database.url }, log)
  stack.defer(() => boss.stop({ graceful: false, close: true }))
  queue = await openDeliveryQueue({ boss, log, pollMs: 10 })
  stack.use(
    queue.work(async (run) => {
      taken.push(run)
      return 'well'
    }),
  )
})
beforeEach(async () => {
  taken.length = 0
  await database.rows('DELETE FROM webhook_deliveries')
})
afterAll(() => stack.disposeAsync())

let events = 0
/** Tells an event; the transaction commits when `before` is over. */
function tell(before: () => Promise<void> = async () => {}): Promise<void> {
  const frame = new Frame({ id: ++events, type: 'task_deleted', audience: 'admins' }, '{}')
  return webhookConsumer({ db: database.db, queue }).take([frame], before, new AbortController().signal)
}
/** A run that is under way, with nothing left to do. */
async function underWay(): Promise<WebhookRunClaim> {
  await tell()
  const run = await eventually(() => taken[0], 'a run is taken')
  await database.rows("UPDATE webhook_deliveries SET state = 'delivered'")
  return run
}
const nextRun = () => eventually(() => taken[1], 'the next run is taken')
const end = (run: WebhookRunClaim, before: () => Promise<void> = async () => {}) =>
  database.db.transaction(async (transaction) => {
    await endRun(transaction, queue, run, 0)
    await before()
  })

test('an event that is told while a run ends is seen by its end, which waits for it', async () => {
  const run = await underWay()
  let ending: Promise<void> | undefined
  await tell(async () => {
    ending = end(run)
    await waitsForALock(database)
  })
  await ending
  await end(await nextRun())
})

test('an event that is told after a run has ended waits for that, and books the next one itself', async () => {
  const run = await underWay()
  let telling: Promise<void> | undefined
  await end(run, async () => {
    telling = tell()
    await waitsForALock(database)
  })
  await telling
  await end(await nextRun())
})

test('without anything that waits no run is booked', async () => {
  await end(await underWay())
  expect(await database.rows("SELECT FROM pgboss.job WHERE name = 'webhook-runs'")).toEqual([])
})
