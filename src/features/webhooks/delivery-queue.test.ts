import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { eventually } from '../../../test/support/eventually.ts'
import { logTo } from '../../../test/support/log.ts'
import { type GroupHealth, type JobQueues, openJobQueues } from '../../platform/queue/index.ts'
import { type DeliveryQueue, openDeliveryQueue, type WebhookRunClaim } from './delivery-queue.ts'

/** A run that is under way until it is ended. */
interface Taken extends WebhookRunClaim {
  end(health?: GroupHealth): void
}

let database: TestDatabase
let queues: JobQueues
let queue: DeliveryQueue
let taken: Taken[]
let stack: AsyncDisposableStack
const log = logTo([])

beforeAll(async () => {
  database = await createTestDatabase()
  queues = await openJobQueues({ connectionString: database.url }, log)
})
beforeEach(async () => {
  stack = new AsyncDisposableStack()
  taken = []
  queue = await openDeliveryQueue({ queues, log, pollMs: 10 })
  await database.rows("DELETE FROM pgboss.job WHERE name = 'webhook-runs'")
})
afterEach(() => stack.disposeAsync())
afterAll(async () => {
  await queues[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})

function work(by = queue): void {
  const working = by.work(async (run, signal) => {
    const { promise, resolve } = Promise.withResolvers<GroupHealth>()
    taken.push({ ...run, end: (health = 'healthy') => resolve(health) })
    signal.addEventListener('abort', () => resolve('healthy'))
    return await promise
  })
  stack.defer(async () => {
    for (const { end } of taken) end()
    await working[Symbol.asyncDispose]()
  })
}

const book = (webhookId: number, delaySeconds = 0) =>
  database.db.transaction((transaction) => queue.book(transaction, [{ webhookId, delaySeconds }]))
const settle = (run: WebhookRunClaim) =>
  database.db.transaction((transaction) => queue.settle(transaction, run))
const jobs = () =>
  database.rows<{ state: string; wait: number }>(
    `SELECT state, round(extract(epoch FROM start_after - now()))::float8 AS wait
     FROM pgboss.job WHERE name = 'webhook-runs' ORDER BY created_on`,
  )
const isTaken = (count: number) => eventually(() => taken.length === count, `${count} runs are taken`)

test('of a webhook one run is booked, whose time the last booking says', async () => {
  await book(1, 600)
  await book(1, 3600)
  expect(await jobs()).toEqual([{ state: 'created', wait: 3600 }])
  await book(1, 60)
  await book(2, 5)
  expect(await jobs()).toEqual([
    { state: 'created', wait: 60 },
    { state: 'created', wait: 5 },
  ])
})

test('a booking that is rolled back was none', async () => {
  const failing = database.db.transaction(async (transaction) => {
    await queue.book(transaction, [{ webhookId: 1, delaySeconds: 0 }])
    throw new Error('no')
  })
  await expect(failing).rejects.toThrow('no')
  expect(await jobs()).toEqual([])
})

test('while a run is under way none of the same webhook is booked; when it is settled it can be', async () => {
  work()
  await book(1)
  await isTaken(1)
  await book(1)
  expect(await jobs()).toMatchObject([{ state: 'active' }])
  expect(await settle(taken[0]!)).toBe(true)
  expect(await jobs()).toEqual([])
  await book(1)
  await isTaken(2)
})

test('each due run is taken by one of several processes', async () => {
  work()
  work(await openDeliveryQueue({ queues, log, pollMs: 10 }))
  await database.db.transaction((transaction) =>
    queue.book(
      transaction,
      Array.from({ length: 30 }, (_, webhookId) => ({ webhookId, delaySeconds: 0 })),
    ),
  )
  await isTaken(30)
  expect(new Set(taken.map(({ webhookId }) => webhookId)).size).toBe(30)
})

test('one that is due later is taken when it is due', async () => {
  work()
  const began = performance.now()
  await book(1, 0.3)
  await isTaken(1)
  expect(performance.now() - began).toBeGreaterThan(290)
})

test('a run that nobody settled comes again after its time, and the first cannot be settled any more', async () => {
  work()
  await book(1)
  await isTaken(1)
  await database.rows(
    "UPDATE pgboss.job SET started_on = now() - interval '44 s' WHERE name = 'webhook-runs'",
  )
  const recover = async () => {
    await database.rows('UPDATE pgboss.queue SET monitor_on = NULL, monitor_claim_on = NULL')
    await queues.get('webhook-runs').supervise()
  }
  await recover()
  expect(await jobs()).toMatchObject([{ state: 'active' }])
  await database.rows(
    "UPDATE pgboss.job SET started_on = now() - interval '46 s' WHERE name = 'webhook-runs'",
  )
  await recover()
  await isTaken(2)
  const [first, second] = taken
  expect(await settle(first!)).toBe(false)
  expect(await jobs()).toMatchObject([{ state: 'active' }])
  expect(await settle(second!)).toBe(true)
})

test('webhooks in trouble get a part of the slots, well ones the rest', async () => {
  work()
  for (let webhookId = 100; webhookId < 140; webhookId++) await book(webhookId)
  await isTaken(20)
  // Those that got a slot are in trouble now, and so are those that come after them.
  for (const one of taken) one.end('failing')
  await isTaken(40)
  for (const one of taken) {
    await settle(one)
    one.end('failing')
  }
  for (let webhookId = 100; webhookId < 140; webhookId++) await book(webhookId)
  await isTaken(50)
  await book(1)
  await book(2)
  await isTaken(52)
  expect(taken.slice(40, 50).every(({ webhookId }) => webhookId >= 100)).toBe(true)
  expect(
    taken
      .slice(50)
      .map(({ webhookId }) => webhookId)
      .toSorted(),
  ).toEqual([1, 2])
})

test('those under way at the end are told, and waited for', async () => {
  const working = queue.work(async (_run, signal) => {
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    ended = true
    return 'healthy'
  })
  let ended = false
  await book(1)
  queue.wake()
  await eventually(async () => (await jobs())[0]?.state === 'active', 'it is under way')
  await working[Symbol.asyncDispose]()
  expect(ended).toBe(true)
})
