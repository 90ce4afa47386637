import type { Transaction } from '../../platform/database/database.ts'
import type { DeliveryQueue, WebhookRunClaim } from './delivery-queue.ts'

/**
 * Enqueues a run for each of the webhooks that has waiting deliveries, at the time when the first of them is due. The
 * caller's transaction must hold locks of these webhooks, and so does the transaction that ends a run. A delivery
 * that is inserted during a run is therefore either seen by the end of the run, or inserted after it.
 */
export async function enqueueRuns(
  transaction: Transaction,
  queue: Pick<DeliveryQueue, 'enqueue'>,
  webhookIds: readonly number[],
): Promise<void> {
  const { rows } = await transaction.query<{ id: number; seconds: number }>({
    name: 'webhook-runs-due',
    text: `
      SELECT w.id, extract(epoch FROM greatest(d.next_attempt_at, w.paused_until, now()) - now())::float8 AS seconds
      FROM webhooks w JOIN LATERAL (
        SELECT next_attempt_at FROM webhook_deliveries WHERE webhook_id = w.id AND state = 'waiting'
        ORDER BY next_attempt_at LIMIT 1
      ) d ON true
      WHERE w.id = ANY ($1) ORDER BY w.id`,
    values: [webhookIds],
  })
  const runs = rows.map(({ id: webhookId, seconds: delaySeconds }) => ({ webhookId, delaySeconds }))
  if (runs.length > 0) await queue.enqueue(transaction, runs)
}

/**
 * Ends a run and enqueues the next one if deliveries wait. Nothing is sent to the receiver for `pauseSeconds`.
 */
export async function endRun(
  transaction: Transaction,
  queue: DeliveryQueue,
  run: WebhookRunClaim,
  pauseSeconds: number,
): Promise<void> {
  await transaction.query({ text: 'SELECT FROM webhooks WHERE id = $1 FOR UPDATE', values: [run.webhookId] })
  if (!(await queue.complete(transaction, run))) return
  if (pauseSeconds > 0) {
    await transaction.query({
      text: 'UPDATE webhooks SET paused_until = now() + make_interval(secs => $2) WHERE id = $1',
      values: [run.webhookId, pauseSeconds],
    })
  }
  await enqueueRuns(transaction, queue, [run.webhookId])
}

/** Returns the ids of the webhooks that have waiting deliveries, locked as `enqueueRuns` requires. */
export async function lockWaiting(transaction: Transaction): Promise<number[]> {
  const { rows } = await transaction.query<{ id: number }>({
    text: `SELECT id FROM webhooks w
      WHERE EXISTS (SELECT FROM webhook_deliveries WHERE webhook_id = w.id AND state = 'waiting')
      ORDER BY id FOR KEY SHARE`,
  })
  return rows.map(({ id }) => id)
}
