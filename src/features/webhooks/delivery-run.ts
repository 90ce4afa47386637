import type { Database } from '../../platform/database/database.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import type { Poster } from '../../platform/outbound/post.ts'
import type { GroupHealth } from '../../platform/queue/index.ts'
import { type AttemptOutcome, attemptDelivery } from './attempt-delivery.ts'
import {
  type DueDelivery,
  disableWebhook,
  findDue,
  recordFailure,
  recordSuccess,
  refuseDeliveries,
} from './attempt-store.ts'
import { retryDelay } from './retry.ts'
import type { SecretBox } from './secret-box.ts'

export interface Sending {
  db: Database
  log: Logger
  secrets: SecretBox
  poster: Poster
  timing: Timing
}

export interface Timing {
  /** Seconds between the attempts of one delivery. */
  retrySeconds: readonly number[]
  /** How long nothing is sent to a receiver that does not respond or is overloaded. */
  pauseSeconds: { min: number; max: number }
  /** Timeout of one attempt. */
  timeoutMs: number
}

/** Number of concurrent attempts per webhook. */
const LANES = 4
/** A run starts no attempt after this time, so that the runs of other webhooks get its slot. */
const RUN_MS = 10_000
/** An attempt that takes longer makes the webhook count as failing. */
const SLOW_MS = 5_000
/** A webhook is disabled if it has been failing for so long when a delivery runs out of attempts. */
const PATIENCE_DAYS = 5
const GONE = 410
const BATCH = 5000

/** Sends the due deliveries of one webhook. */
export class DeliveryRun {
  readonly #sending: Sending
  readonly #webhookId: number
  readonly #signal: AbortSignal
  readonly #inFlight = new Map<number, Promise<void>>()
  #failure: unknown
  #slow = false
  /** Number of concurrent attempts: one until the receiver accepts a delivery. */
  #lanes = 1
  /** Seconds for which nothing should be sent to the receiver after this run. */
  pauseSeconds = 0

  constructor(sending: Sending, webhookId: number, signal: AbortSignal) {
    this.#sending = sending
    this.#webhookId = webhookId
    this.#signal = signal
  }

  /** Resolves when all attempts have ended; rejects if a result could not be recorded. */
  async make(): Promise<GroupHealth> {
    const end = performance.now() + RUN_MS
    const isOver = () =>
      this.#failure !== undefined || this.pauseSeconds > 0 || this.#signal.aborted || performance.now() > end
    for (;;) {
      if (!isOver()) await this.#begin().catch((error) => this.#fail(error))
      if (this.#inFlight.size === 0) break
      await Promise.race(this.#inFlight.values())
    }
    if (this.#failure !== undefined) throw this.#failure
    return this.#slow || this.pauseSeconds > 0 ? 'failing' : 'healthy'
  }

  async #begin(): Promise<void> {
    const { db } = this.#sending
    const due = await findDue(
      db,
      this.#webhookId,
      [...this.#inFlight.keys()],
      this.#lanes - this.#inFlight.size,
    )
    for (const one of due) {
      const over = this.#deliver(one)
        .catch((error) => this.#fail(error))
        .finally(() => this.#inFlight.delete(one.id))
      this.#inFlight.set(one.id, over)
    }
  }

  #fail(error: unknown): void {
    this.#failure ??= error
  }

  async #deliver(due: DueDelivery): Promise<void> {
    const { db } = this.#sending
    const { id, webhook_id: webhookId } = due
    if (!due.enabled) {
      return await refuseDeliveries(db, { webhookId, limit: BATCH }, 'the webhook is disabled')
    }
    if (!due.allowed) {
      const reason = 'its owner may no longer read the event'
      return await refuseDeliveries(db, { webhookId, id, limit: 1 }, reason)
    }
    const began = performance.now()
    const outcome = await attemptDelivery(this.#sending, due, this.#signal)
    if (performance.now() - began > SLOW_MS) this.#slow = true
    if (outcome.error === undefined) await this.#succeeded(due, outcome.status!)
    // An aborted attempt is not recorded: the delivery is still due, for another process or the next start.
    else if (!this.#signal.aborted) await this.#failed(due, { ...outcome, error: outcome.error })
  }

  async #succeeded(due: DueDelivery, status: number): Promise<void> {
    const { db, log } = this.#sending
    this.#lanes = LANES
    const { recovered } = await recordSuccess(db, due, status)
    if (recovered) log.info({ webhookId: this.#webhookId }, 'webhook works again')
  }

  async #failed(
    due: DueDelivery,
    { status, error, busy, retryAfter }: AttemptOutcome & { error: string },
  ): Promise<void> {
    const { db, log, timing } = this.#sending
    const webhookId = this.#webhookId
    if (busy) {
      const { min, max } = timing.pauseSeconds
      this.pauseSeconds = Math.max(this.pauseSeconds, min, Math.min(retryAfter ?? 0, max))
    }
    const isGone = status === GONE
    const delaySeconds = isGone ? undefined : retryDelay(timing.retrySeconds, due.tries + 1, retryAfter)
    const { began } = await recordFailure(db, due, { status, error, delaySeconds })
    if (began) log.info({ webhookId, error }, 'webhook started to fail')
    if (delaySeconds !== undefined) return
    const reason = isGone
      ? 'the receiver responded 410 Gone'
      : `every delivery has failed for ${PATIENCE_DAYS} days, the last one with: ${error}`
    if (await disableWebhook(db, webhookId, reason, isGone ? 0 : PATIENCE_DAYS)) {
      log.warn({ webhookId, reason }, 'webhook disabled')
    }
  }
}
