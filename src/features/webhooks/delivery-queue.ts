import type { Transaction } from '../../platform/database/database.ts'
import type { Health } from '../../platform/queue/slots.ts'

/** The right to send what is due at one webhook, which one process has at a time. */
export interface WebhookRunClaim {
  readonly webhookId: number
  /** The job that it is, and which time it was taken. */
  readonly claim: { readonly id: string; readonly retryCount: number }
}

/** Runs as durable jobs. */
export interface DeliveryQueue {
  /**
   * Books, in the caller's transaction, that the webhook gets a run after `delaySeconds`. One is booked at
   * most, whose time this changes; while one is under way, none is.
   */
  book(transaction: Transaction, runs: readonly { webhookId: number; delaySeconds: number }[]): Promise<void>
  /** Says, in the caller's transaction, that a run is over. False: it took so long that another one took its place. */
  settle(transaction: Transaction, run: WebhookRunClaim): Promise<boolean>
  /** Says that runs were booked, and committed. */
  wake(): void
  /**
   * Makes the runs that are due, several at a time, until it is disposed; those under way are then told
   * by the signal. A run that was not settled comes again, after a while.
   */
  work(make: (run: WebhookRunClaim, signal: AbortSignal) => Promise<Health>): AsyncDisposable
}
