import { mayReceiveSql, storedAudience } from '../../events/audience.ts'
import { storedScope } from '../../platform/access/index.ts'
import type { Queryable } from '../../platform/database/database.ts'

/** The audience of the event of a delivery `d`. */
export const DELIVERY_AUDIENCE = storedAudience({
  audience: 'd.event_audience',
  type: 'd.type',
  userId: 'd.event_user_id',
})

/** A due delivery with the request to send. */
export interface DueDelivery {
  id: number
  webhook_id: number
  event_id: string
  body: string
  /** Failed attempts, counted from the last redelivery. */
  tries: number
  url: string
  enabled: boolean
  /** Whether the owner of the webhook may still read the event. */
  allowed: boolean
  /** Encrypted. */
  secret: Buffer
  old_secret: Buffer | null
}

/** Returns the first `limit` due deliveries of a webhook, without those in `except`. */
export async function findDue(
  db: Queryable,
  webhookId: number,
  except: readonly number[],
  limit: number,
): Promise<DueDelivery[]> {
  const { rows } = await db.query<DueDelivery & object>({
    name: 'webhook-deliveries-due',
    text: `
      SELECT d.id, d.webhook_id, d.event_id, d.body, d.tries, w.url, w.enabled, w.secret,
        CASE WHEN w.old_secret_until > now() THEN w.old_secret END AS old_secret,
        coalesce((w.user_id IS NULL OR NOT u.disabled)
          AND ${mayReceiveSql(storedScope('w.user_id', 'u'), DELIVERY_AUDIENCE)}, false) AS allowed
      FROM webhook_deliveries d JOIN webhooks w ON w.id = d.webhook_id LEFT JOIN users u ON u.id = w.user_id
      WHERE d.webhook_id = $1 AND d.state = 'waiting' AND d.next_attempt_at <= now() AND d.id <> ALL ($2)
        AND (w.paused_until IS NULL OR w.paused_until <= now())
      ORDER BY d.next_attempt_at, d.id LIMIT $3`,
    values: [webhookId, except, limit],
  })
  return rows
}

/** Records a success. `recovered`: the webhook had been failing. A delivery that was redelivered in between stays unchanged. */
export async function recordSuccess(
  db: Queryable,
  { id, tries }: DueDelivery,
  status: number,
): Promise<{ recovered: boolean }> {
  const { rows } = await db.query({
    name: 'webhook-success',
    text: `
      WITH d AS (
        UPDATE webhook_deliveries SET state = 'delivered', attempts = attempts + 1, response_status = $3,
          error = NULL, last_attempt_at = now(), next_attempt_at = NULL, finished_at = now()
        WHERE id = $1 AND tries = $2 AND state = 'waiting' RETURNING webhook_id
      )
      UPDATE webhooks w SET failing_since = NULL FROM d
      WHERE w.id = d.webhook_id AND w.failing_since IS NOT NULL RETURNING w.id`,
    values: [id, tries, status],
  })
  return { recovered: rows.length > 0 }
}

export interface DeliveryFailure {
  /** Status of the response; null: there was none. */
  status: number | null
  error: string
  /** Seconds until the next attempt; undefined: this was the last attempt. */
  delaySeconds: number | undefined
}

/** Records a failure. `began`: the webhook had not been failing. */
export async function recordFailure(
  db: Queryable,
  { id, tries }: DueDelivery,
  { status, error, delaySeconds }: DeliveryFailure,
): Promise<{ began: boolean }> {
  const { rows } = await db.query({
    name: 'webhook-failure',
    text: `
      WITH d AS (
        UPDATE webhook_deliveries SET attempts = attempts + 1, tries = tries + 1, response_status = $3, error = $4,
          state = CASE WHEN $5::float8 IS NULL THEN 'failed' ELSE 'waiting' END, last_attempt_at = now(),
          next_attempt_at = now() + make_interval(secs => $5),
          finished_at = CASE WHEN $5 IS NULL THEN now() END
        WHERE id = $1 AND tries = $2 AND state = 'waiting' RETURNING webhook_id
      )
      UPDATE webhooks w SET failing_since = now() FROM d
      WHERE w.id = d.webhook_id AND w.failing_since IS NULL RETURNING w.id`,
    values: [id, tries, status, error, delaySeconds ?? null],
  })
  return { began: rows.length > 0 }
}

/** Fails one waiting delivery of a webhook without an attempt or, without `id`, up to `limit` of them. */
export async function refuseDeliveries(
  db: Queryable,
  which: { webhookId: number; id?: number; limit: number },
  error: string,
): Promise<void> {
  await db.query({
    text: `UPDATE webhook_deliveries
      SET state = 'failed', error = $4, next_attempt_at = NULL, finished_at = now()
      WHERE id IN (SELECT id FROM webhook_deliveries
        WHERE webhook_id = $1 AND ($2::bigint IS NULL OR id = $2) AND state = 'waiting' LIMIT $3)`,
    values: [which.webhookId, which.id, which.limit, error],
  })
}

/** Disables an enabled webhook that has been failing for `afterDays` days; returns whether it did. */
export async function disableWebhook(
  db: Queryable,
  id: number,
  reason: string,
  afterDays: number,
): Promise<boolean> {
  const { rowCount } = await db.query({
    text: `UPDATE webhooks SET enabled = false, disabled_reason = $2, updated_at = clock_timestamp()
      WHERE id = $1 AND enabled AND failing_since <= now() - make_interval(days => $3)`,
    values: [id, reason, afterDays],
  })
  return rowCount === 1
}
