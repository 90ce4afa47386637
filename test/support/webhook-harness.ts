import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest'
import { operator } from '../../src/core/actor.ts'
import { audienceOf } from '../../src/events/audience.ts'
import { Frame } from '../../src/events/frame.ts'
import {
  createSecretBox,
  createWebhooks,
  openDeliveryQueue,
  startDeliveries,
  webhookConsumer,
} from '../../src/features/webhooks/index.ts'
import { createAddressGuard } from '../../src/platform/outbound/address-guard.ts'
import { openJobQueues } from '../../src/platform/queue/index.ts'
import { createTestDatabase, type TestDatabase } from './database.ts'
import { eventually } from './eventually.ts'
import { logTo } from './log.ts'
import { type Receiver, startReceiver } from './receiver.ts'

export const KEY = 'the key of the webhook tests, which is long enough'

/** The production timing, shortened so that a day passes in a second. */
const TIMING = { retrySeconds: [0.05, 0.1, 0.1], pauseSeconds: { min: 0.05, max: 0.5 }, timeoutMs: 5_000 }

/** A row of `webhook_deliveries`. */
export interface DeliveryRow {
  id: number
  webhook_id: number
  event_id: string
  state: string
  attempts: number
  response_status: number | null
  error: string | null
  next_attempt_at: string | null
  finished_at: string | null
}

export type Harness = Awaited<ReturnType<typeof startHarness>>

/** Starts webhooks on a new database without a server. Events are published with `publish`. */
async function startHarness(settings: { keys?: string[] } = {}) {
  const stack = new AsyncDisposableStack()
  const database: TestDatabase = stack.use(await createTestDatabase())
  const { db } = database
  const logged: Record<string, unknown>[] = []
  const log = logTo(logged)
  const guard = createAddressGuard(['127.0.0.1'])

  /** Starts the part of a process that sends deliveries; `stop` ends it gracefully. */
  async function startWorker(keys: string[] = settings.keys ?? [KEY], timing: Partial<typeof TIMING> = {}) {
    const own = stack.use(new AsyncDisposableStack())
    const queues = own.use(await openJobQueues({ connectionString: database.url }, log))
    const queue = await openDeliveryQueue({ queues, log, pollMs: 25 })
    const secrets = createSecretBox(keys)
    const working = await startDeliveries({
      ...{ db, log, queue, secrets, guard },
      timing: { ...TIMING, ...timing },
    })
    own.use(working)
    return { queues, queue, secrets, stop: () => own.disposeAsync() }
  }

  let worker = await startWorker()
  let lastEvent = 0
  const services = () => {
    const { queue, secrets } = worker
    return createWebhooks({ db, queue, secrets, guard, settled: async () => lastEvent })
  }

  return {
    database,
    db,
    logged,
    stack,
    get worker() {
      return worker
    },
    services,
    startWorker,
    /** Stops the worker and starts another one. */
    async restart(...like: Parameters<typeof startWorker>) {
      await worker.stop()
      worker = await startWorker(...like)
    },
    create: (url: string, types: ['task_created'] | null = null) =>
      services().webhooks.create(operator, { url, types }),
    /** Creates events that are not published yet. */
    createEvents(count = 1, event: { type?: 'task_created'; user_id?: number } = {}): Frame[] {
      return Array.from({ length: count }, () => {
        const id = ++lastEvent
        const data = { id: String(id), type: event.type ?? 'task_deleted', at: '', data: { task_id: id } }
        const { type, user_id } = { type: 'task_deleted' as const, user_id: null, ...event }
        return new Frame({ id, type, audience: audienceOf(type, user_id) }, JSON.stringify(data))
      })
    },
    /** Publishes new events to the webhook consumer; returns their ids. */
    async publish(count?: number, event?: { type?: 'task_created'; user_id?: number }): Promise<string[]> {
      return this.publishFrames(this.createEvents(count, event))
    },
    async publishFrames(frames: Frame[]): Promise<string[]> {
      const consumer = webhookConsumer({ db, queue: worker.queue })
      await consumer.take(frames, async () => {}, new AbortController().signal)
      return frames.map(({ id }) => String(id))
    },
    deliveries: (webhookId: number) =>
      database.rows<DeliveryRow>('SELECT * FROM webhook_deliveries WHERE webhook_id = $1 ORDER BY id', [
        webhookId,
      ]),
    /** Waits until the only delivery of a webhook matches `wanted`. */
    async delivery(webhookId: number, wanted: Partial<DeliveryRow>): Promise<DeliveryRow> {
      let row: DeliveryRow | undefined
      const matches = async () => {
        row = (await this.deliveries(webhookId))[0]
        return row && Object.entries(wanted).every(([key, value]) => row![key as keyof DeliveryRow] === value)
      }
      await eventually(matches, `a delivery with ${JSON.stringify(wanted)}`).catch(() => {})
      expect(row).toMatchObject(wanted)
      return row!
    },
    webhook: (id: number) => services().webhooks.get(operator, id),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

/** Creates one harness for the tests of a file, and a new receiver for each test; `ready` is called with both. */
export function useHarness(ready: (harness: Harness, receiver: Receiver) => void): void {
  let harness: Harness
  let receiver: Receiver
  beforeAll(async () => {
    harness = await startHarness()
  })
  beforeEach(async () => {
    receiver = await startReceiver()
    ready(harness, receiver)
  })
  afterEach(async () => {
    await harness.database.rows('DELETE FROM webhooks')
    await receiver[Symbol.asyncDispose]()
  })
  afterAll(() => harness[Symbol.asyncDispose]())
}
