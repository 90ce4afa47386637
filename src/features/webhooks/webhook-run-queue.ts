import { randomUUID } from 'node:crypto'
import type { Db, Job, PgBoss } from 'pg-boss'
import type { Transaction } from '../../platform/database/database.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import { Slots } from '../../platform/queue/slots.ts'
import type { DeliveryQueue } from './delivery-queue.ts'

const QUEUE = 'webhook-runs'
const POLL_MS = 1_000
/** A claim older than this is one of a process that died; a run takes half of it. */
const CLAIM_SECONDS = 45
/** Claims that lapse are no failures: a run comes again until it is settled. */
const LAPSES = 1_000_000

/**
 * Runs of webhook deliveries as jobs of pg-boss. Of each webhook there is one at most, booked or under
 * way (the policy `exclusive`), whatever the number of deliveries that wait.
 */
export async function openDeliveryQueue(deps: {
  boss: PgBoss
  log: Logger
  pollMs?: number
}): Promise<DeliveryQueue> {
  const { boss, log, pollMs = POLL_MS } = deps
  await boss.createQueue(QUEUE, { policy: 'exclusive', expireInSeconds: CLAIM_SECONDS, retryLimit: LAPSES })
  let slots: Slots<{ webhookId: number }> | undefined

  return {
    async book(transaction, runs) {
      const db = runningOn(transaction)
      const jobs = runs.map(({ webhookId, delaySeconds }) => ({
        id: randomUUID(),
        data: { webhookId },
        singletonKey: String(webhookId),
        group: { id: String(webhookId) },
        // Not a moment too early, when nothing would be due yet.
        startAfter: Math.ceil(delaySeconds * 1000) / 1000,
      }))
      const inserted = await boss.insert(QUEUE, jobs, { db, returnId: true })
      for (const { id, singletonKey, startAfter } of jobs) {
        if (!inserted?.includes(id)) await boss.update(QUEUE, undefined, { db, singletonKey, startAfter })
      }
    },
    async settle(transaction, { claim }) {
      const answer = await boss.deleteJob(QUEUE, claim, { db: runningOn(transaction) })
      return (answer as { affected: number }).affected === 1 // Its types do not tell of it.
    },
    wake: () => slots?.look(),
    work(make) {
      slots = new Slots({
        fetch: (options) => boss.fetch(QUEUE, options),
        recover: () => boss.supervise(QUEUE),
        make: ({ id, retryCount, data: { webhookId } }: Job<{ webhookId: number }>, signal) =>
          make({ webhookId, claim: { id, retryCount } }, signal),
        pollMs,
        log,
      })
      return slots
    },
  }
}

function runningOn(transaction: Transaction): Db {
  return { executeSql: (text, values = []) => transaction.query({ text, values }) }
}
