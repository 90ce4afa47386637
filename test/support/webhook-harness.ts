import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest'
import { operator } from '../../src/core/actor.ts'
import { audienceOf } from '../../src/events/audience.ts'
import { Frame } from '../../src/events/frame.ts'
import {
  createSecretBox,
  createWebhooks,
  startDeliveries,
  webhookConsumer,
} from '../../src/features/webhooks/index.ts'
import { openDeliveryQueue } from '../../src/features/webhooks/webhook-run-queue.ts'
import { createAddressGuard } from '../../src/platform/outbound/address-guard.ts'
import { startBoss } from '../../src/platform/queue/boss.ts'
import { createTestDatabase, type TestDatabase } from './database.ts'
import { eventually } from './eventually.ts'
import { logTo } from './log.ts'
import { type Receiver, startReceiver } from './receiver.ts'

export const KEY = 'the key of the webhook tests, which is long enough'

/** As the real ones, only that a day is over in a second. */
const TIMING = { retrySeconds: [0.05, 0.1, 0.1], pauseSeconds: { min: 0.05, max: 0.5 }, timeoutMs: 5_000 }

/** A row of the log as it is in the database. */
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

/** Webhooks on a database of their own, without a server: what is told here comes from `tell`. */
async function startHarness(settings: { keys?: string[] } = {}) {
  const stack = new AsyncDisposableStack()
  const database: TestDatabase = stack.use(await createTestDatabase())
  const { db } = database
  const logged: Record<string, unknown>[] = []
  const log = logTo(logged)
  const guard = createAddressGuard(['127.0.0.1'])

  /** What a process has that delivers; `stop` is its orderly end. */
  async function startWorker(keys: string[] = settings.keys ?? [KEY], timing: Partial<typeof TIMING> = {}) {
    const own = stack.use(new AsyncDisposableStack())
    const boss = await startBoss({ connectionString: database.url }, log)
    own.defer(() => boss.stop({ graceful: true, timeout: 1_000, close: true }))
    const queue = await openDeliveryQueue({ boss, log, pollMs: 25 })
    const secrets = createSecretBox(keys)
    const working = await startDeliveries({
      ...{ db, log, queue, secrets, guard },
      timing: { ...TIMING, ...timing },
    })
    own.use(working)
    return { boss, queue, secrets, stop: () => own.disposeAsync() }
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
    /** Ends the worker, and begins another one. */
    async restart(...like: Parameters<typeof startWorker>) {
      await worker.stop()
      worker = await startWorker(...like)
    },
    create: (url: string, types: ['task_created'] | null = null) =>
      services().webhooks.create(operator, { url, types }),
    /** Makes events that are still to be told. */
    write(count = 1, event: { type?: 'task_created'; user_id?: number } = {}): Frame[] {
      return Array.from({ length: count }, () => {
        const id = ++lastEvent
        const data = { id: String(id), type: event.type ?? 'task_deleted', at: '', data: { task_id: id } }
        const { type, user_id } = { type: 'task_deleted' as const, user_id: null, ...event }
        return new Frame({ id, type, audience: audienceOf(type, user_id) }, JSON.stringify(data))
      })
    },
    /** Tells events, as the feed does; returns their ids. */
    async tell(count?: number, event?: { type?: 'task_created'; user_id?: number }): Promise<string[]> {
      return this.hand(this.write(count, event))
    },
    async hand(frames: Frame[]): Promise<string[]> {
      const feed = webhookConsumer({ db, queue: worker.queue })
      await feed.take(frames, async () => {}, new AbortController().signal)
      return frames.map(({ id }) => String(id))
    },
    deliveries: (webhookId: number) =>
      database.rows<DeliveryRow>('SELECT * FROM webhook_deliveries WHERE webhook_id = $1 ORDER BY id', [
        webhookId,
      ]),
    /** The only delivery of a webhook, when it is as `wanted`. */
    async delivery(webhookId: number, wanted: Partial<DeliveryRow>): Promise<DeliveryRow> {
      let row: DeliveryRow | undefined
      const isAsWanted = async () => {
        row = (await this.deliveries(webhookId))[0]
        return row && Object.entries(wanted).every(([key, value]) => row![key as keyof DeliveryRow] === value)
      }
      await eventually(isAsWanted, `a delivery with ${JSON.stringify(wanted)}`).catch(() => {})
      expect(row).toMatchObject(wanted)
      return row!
    },
    webhook: (id: number) => services().webhooks.get(operator, id),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

/** One harness for all tests of a file, and for each of them a receiver, and no webhooks yet; `ready` is given them. */
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
