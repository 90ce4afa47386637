import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { eventually } from '../../../test/support/eventually.ts'
import { logTo } from '../../../test/support/log.ts'
import { type GroupHealth, type JobQueues, openJobQueues } from '../../platform/queue/index.ts'
import { type DeliveryQueue, openDeliveryQueue, type WebhookRunClaim } from './delivery-queue.ts'

/** A run that is in progress until `end` is called. */
interface Started extends WebhookRunClaim {
  end(health?: GroupHealth): void
}

let database: TestDatabase
let queues: JobQueues
let queue: DeliveryQueue
let started: Started[]
let stack: AsyncDisposableStack
const log = logTo([])

beforeAll(async () => {
  database = await createTestDatabase()
  queues = await openJobQueues({ connectionString: database.url }, log)
})
beforeEach(async () => {
  stack = new AsyncDisposableStack()
  started = []
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
    started.push({ ...run, end: (health = 'healthy') => resolve(health) })
    signal.addEventListener('abort', () => resolve('healthy'))
    return await promise
  })
  stack.defer(async () => {
    for (const { end } of started) end()
    await working[Symbol.asyncDispose]()
  })
}

const enqueue = (webhookId: number, delaySeconds = 0) =>
  database.db.transaction((transaction) => queue.enqueue(transaction, [{ webhookId, delaySeconds }]))
const complete = (run: WebhookRunClaim) =>
  database.db.transaction((transaction) => queue.complete(transaction, run))
const jobs = () =>
  database.rows<{ state: string; wait: number }>(
    `SELECT state, round(extract(epoch FROM start_after - now()))::float8 AS wait
     FROM pgboss.job WHERE name = 'webhook-runs' ORDER BY created_on`,
  )
const haveStarted = (count: number) =>
  eventually(() => started.length === count, `${count} runs have started`)

test('a webhook has one queued run, at the time of the last call', async () => {
  await enqueue(1, 600)
  await enqueue(1, 3600)
  expect(await jobs()).toEqual([{ state: 'created', wait: 3600 }])
  await enqueue(1, 60)
  await enqueue(2, 5)
  expect(await jobs()).toEqual([
    { state: 'created', wait: 60 },
    { state: 'created', wait: 5 },
  ])
})

test('a transaction that is rolled back leaves no run', async () => {
  const failing = database.db.transaction(async (transaction) => {
    await queue.enqueue(transaction, [{ webhookId: 1, delaySeconds: 0 }])
    throw new Error('no')
  })
  await expect(failing).rejects.toThrow('no')
  expect(await jobs()).toEqual([])
})

test('no run of a webhook is queued while one is in progress, but after it is completed', async () => {
  work()
  await enqueue(1)
  await haveStarted(1)
  await enqueue(1)
  expect(await jobs()).toMatchObject([{ state: 'active' }])
  expect(await complete(started[0]!)).toBe(true)
  expect(await jobs()).toEqual([])
  await enqueue(1)
  await haveStarted(2)
})

test('each due run starts in one of several processes', async () => {
  work()
  work(await openDeliveryQueue({ queues, log, pollMs: 10 }))
  await database.db.transaction((transaction) =>
    queue.enqueue(
      transaction,
      Array.from({ length: 30 }, (_, webhookId) => ({ webhookId, delaySeconds: 0 })),
    ),
  )
  await haveStarted(30)
  expect(new Set(started.map(({ webhookId }) => webhookId)).size).toBe(30)
})

test('a delayed run starts when it is due', async () => {
  work()
  const began = performance.now()
  await enqueue(1, 0.3)
  await haveStarted(1)
  expect(performance.now() - began).toBeGreaterThan(290)
})

test('a run that was not completed is retried when its claim expires, and its first claim is invalid', async () => {
  work()
  await enqueue(1)
  await haveStarted(1)
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
  await haveStarted(2)
  const [first, second] = started
  expect(await complete(first!)).toBe(false)
  expect(await jobs()).toMatchObject([{ state: 'active' }])
  expect(await complete(second!)).toBe(true)
})

test('failing webhooks share some of the slots, healthy ones get the others', async () => {
  work()
  for (let webhookId = 100; webhookId < 140; webhookId++) await enqueue(webhookId)
  await haveStarted(20)
  // The webhooks that got a slot are failing now, and so are those that get the next slots.
  for (const one of started) one.end('failing')
  await haveStarted(40)
  for (const one of started) {
    await complete(one)
    one.end('failing')
  }
  for (let webhookId = 100; webhookId < 140; webhookId++) await enqueue(webhookId)
  await haveStarted(50)
  await enqueue(1)
  await enqueue(2)
  await haveStarted(52)
  expect(started.slice(40, 50).every(({ webhookId }) => webhookId >= 100)).toBe(true)
  expect(
    started
      .slice(50)
      .map(({ webhookId }) => webhookId)
      .toSorted(),
  ).toEqual([1, 2])
})

test('disposal aborts the signals of running jobs and waits for them', async () => {
  const working = queue.work(async (_run, signal) => {
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    ended = true
    return 'healthy'
  })
  let ended = false
  await enqueue(1)
  queue.wake()
  await eventually(async () => (await jobs())[0]?.state === 'active', 'it is in progress')
  await working[Symbol.asyncDispose]()
  expect(ended).toBe(true)
})
