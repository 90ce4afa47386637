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
  /** Waits between the attempts at one delivery. */
  retrySeconds: readonly number[]
  /** How long a receiver that does not answer, or asks for time, is left alone. */
  pauseSeconds: { min: number; max: number }
  /** For one attempt. */
  timeoutMs: number
}

/** Attempts at one webhook at the same time. */
const LANES = 4
/** A run begins no attempt after this, so that other webhooks get their turn. */
const RUN_MS = 10_000
/** A receiver that takes longer counts as trouble. */
const SLOW_MS = 5_000
/** A webhook that has failed for so long, and runs out of attempts at a delivery, is disabled. */
const PATIENCE_DAYS = 5
const GONE = 410
const PORTION = 5000

/** Sends what is due at one webhook. */
export class DeliveryRun {
  readonly #sending: Sending
  readonly #webhookId: number
  readonly #signal: AbortSignal
  readonly #inFlight = new Map<number, Promise<void>>()
  #failure: unknown
  #slow = false
  /** One, until the receiver takes something. */
  #lanes = 1
  /** Seconds for which to leave the receiver alone. */
  pauseSeconds = 0

  constructor(sending: Sending, webhookId: number, signal: AbortSignal) {
    this.#sending = sending
    this.#webhookId = webhookId
    this.#signal = signal
  }

  /** Resolves when all that it began is over; rejects where that could not be recorded. */
  async make(): Promise<GroupHealth> {
    const end = performance.now() + RUN_MS
    const isOver = () =>
      this.#failure !== undefined || this.pauseSeconds > 0 || this.#signal.aborted || performance.now() > end
    for (;;) {
      if (!isOver()) await this.#begin().catch((error) => this.#broke(error))
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
        .catch((error) => this.#broke(error))
        .finally(() => this.#inFlight.delete(one.id))
      this.#inFlight.set(one.id, over)
    }
  }

  #broke(error: unknown): void {
    this.#failure ??= error
  }

  async #deliver(due: DueDelivery): Promise<void> {
    const { db } = this.#sending
    const { id, webhook_id: webhookId } = due
    if (!due.enabled) {
      return await refuseDeliveries(db, { webhookId, limit: PORTION }, 'the webhook is disabled')
    }
    if (!due.allowed) {
      const reason = 'its owner may no longer read the event'
      return await refuseDeliveries(db, { webhookId, id, limit: 1 }, reason)
    }
    const began = performance.now()
    const outcome = await attemptDelivery(this.#sending, due, this.#signal)
    if (performance.now() - began > SLOW_MS) this.#slow = true
    if (outcome.error === undefined) await this.#succeeded(due, outcome.status!)
    // What was cut off is still due, for another process or the next start.
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
    if (began) log.info({ webhookId, error }, 'webhook fails')
    if (delaySeconds !== undefined) return
    const reason = isGone
      ? 'the receiver answered 410 Gone'
      : `every delivery has failed for ${PATIENCE_DAYS} days, the last one with: ${error}`
    if (await disableWebhook(db, webhookId, reason, isGone ? 0 : PATIENCE_DAYS)) {
      log.warn({ webhookId, reason }, 'webhook disabled')
    }
  }
}
