import type { Transaction } from '../../platform/database/database.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import { type GroupHealth, GroupSlots, type JobClaim, type JobQueues } from '../../platform/queue/index.ts'

/** The claim of one process to send what is due at one webhook. No other process has it at the same time. */
export interface WebhookRunClaim {
  readonly webhookId: number
  readonly claim: JobClaim
}

/** A queue of webhook runs. A run is a durable job that sends the due deliveries of one webhook. */
export interface DeliveryQueue {
  /**
   * Enqueues, in the caller's transaction, a run of each webhook in `delaySeconds`. A webhook has one queued run at
   * most: a queued run gets the new time, and while a run is in progress none is queued.
   */
  enqueue(
    transaction: Transaction,
    runs: readonly { webhookId: number; delaySeconds: number }[],
  ): Promise<void>
  /** Completes a run in the caller's transaction. Returns false if the claim had expired and the run was retried. */
  complete(transaction: Transaction, run: WebhookRunClaim): Promise<boolean>
  /** Starts due runs at once. Call it after a commit that enqueued runs. */
  wake(): void
  /**
   * Makes due runs, several at a time, until it is disposed; then the signals of the runs in progress are aborted.
   * A run that was not completed is retried when its claim expires.
   */
  work(make: (run: WebhookRunClaim, signal: AbortSignal) => Promise<GroupHealth>): AsyncDisposable
}

const QUEUE = 'webhook-runs'
const POLL_MS = 1_000
/** A claim expires after this time. That happens only if its process died: a run takes up to 25 s. */
const CLAIM_SECONDS = 45
/** An expired claim is not a failure: the run is retried until it is completed. */
const RETRIES = 1_000_000

/** Opens the queue of webhook runs: one job per webhook, however many of its deliveries wait. */
export async function openDeliveryQueue(deps: {
  queues: JobQueues
  log: Logger
  pollMs?: number
}): Promise<DeliveryQueue> {
  const { queues, log, pollMs = POLL_MS } = deps
  const queue = await queues.open<{ webhookId: number }>(QUEUE, {
    policy: 'exclusive',
    expireInSeconds: CLAIM_SECONDS,
    retryLimit: RETRIES,
  })
  let slots: GroupSlots<{ webhookId: number }> | undefined

  return {
    async enqueue(transaction, runs) {
      const jobs = runs.map(({ webhookId, delaySeconds }) => ({
        key: String(webhookId),
        data: { webhookId },
        // Rounded up: a run that starts a moment too early finds nothing due.
        startAfter: Math.ceil(delaySeconds * 1000) / 1000,
      }))
      await queue.enqueueOrReschedule(transaction, jobs)
    },
    complete: async (transaction, { claim }) => (await queue.complete(transaction, [claim])) === 1,
    wake: () => slots?.wake(),
    work(make) {
      slots = new GroupSlots({
        queue,
        run: ({ id, retryCount, data: { webhookId } }, signal) =>
          make({ webhookId, claim: { id, retryCount } }, signal),
        pollMs,
        log,
      })
      return slots
    },
  }
}
