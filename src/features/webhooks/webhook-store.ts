import type { AccessScope } from '../../core/access-scope.ts'
import type { EventType } from '../../events/event-types.ts'
import { scopeCondition } from '../../platform/access/index.ts'
import type { Queryable, Transaction } from '../../platform/database/database.ts'
import type { Webhook } from './webhook.ts'

export const MAX_PER_OWNER = 20
/** How long the secret before a new one signs along. */
const OVERLAP = "interval '24 hours'"

const PUBLIC = `w.id, w.url, w.types, w.description, w.enabled, w.disabled_reason, w.failing_since,
  CASE WHEN w.old_secret_until > now() THEN w.old_secret_until END AS old_secret_until,
  w.user_id, w.created_at, w.updated_at`

export interface NewWebhook {
  userId: number | null
  url: string
  types: EventType[] | null
  description: string | null
  /** The last event that it does not get. */
  afterEvent: number
  /** Sealed. */
  secret: Buffer
}

/** What to change: `undefined` leaves a field. */
export interface WebhookChanges {
  url?: string | undefined
  types?: EventType[] | null | undefined
  description?: string | null | undefined
  enabled?: boolean | undefined
}

/** undefined when the owner has as many as one may have. */
export async function insertWebhook(
  transaction: Transaction,
  webhook: NewWebhook,
): Promise<Webhook | undefined> {
  // A statement of its own, so that the next one counts what others made while this one waited.
  await transaction.query({
    text: "SELECT pg_advisory_xact_lock(hashtext('taskwire webhooks'), $1)",
    values: [webhook.userId ?? 0],
  })
  const { rows } = await transaction.query<Webhook & object>({
    text: `
      INSERT INTO webhooks AS w (user_id, url, types, description, after_event, secret) SELECT $1, $2, $3, $4, $5, $6
      WHERE (SELECT count(*) FROM webhooks WHERE user_id IS NOT DISTINCT FROM $1) < ${MAX_PER_OWNER}
      RETURNING ${PUBLIC}`,
    values: [
      webhook.userId,
      webhook.url,
      webhook.types,
      webhook.description,
      webhook.afterEvent,
      webhook.secret,
    ],
  })
  return rows[0]
}

export async function findWebhook(db: Queryable, id: number): Promise<Webhook | undefined> {
  const { rows } = await db.query<Webhook & object>({
    text: `SELECT ${PUBLIC} FROM webhooks w WHERE w.id = $1`,
    values: [id],
  })
  return rows[0]
}

/** The webhook, which nobody else changes until the transaction ends. */
export async function lockWebhook(transaction: Transaction, id: number): Promise<Webhook | undefined> {
  const { rows } = await transaction.query<Webhook & object>({
    text: `SELECT ${PUBLIC} FROM webhooks w WHERE w.id = $1 FOR UPDATE`,
    values: [id],
  })
  return rows[0]
}

/** Returns a page of the webhooks within the scope, and how many there are. */
export async function listWebhooks(
  db: Queryable,
  { scope, skip, limit }: { scope: AccessScope; skip: number; limit: number },
): Promise<{ webhooks: Webhook[]; total: number }> {
  const own = scopeCondition('$1', 'w.user_id')
  const { rows } = await db.query<Webhook & object>({
    text: `SELECT ${PUBLIC} FROM webhooks w WHERE ${own} ORDER BY w.id LIMIT $2 OFFSET $3`,
    values: [scope.parameter, limit, skip],
  })
  const counted = await db.query<{ total: number }>({
    text: `SELECT count(*) AS total FROM webhooks w WHERE ${own}`,
    values: [scope.parameter],
  })
  return { webhooks: rows, total: counted.rows[0]!.total }
}

/**
 * Changes a webhook of which the transaction has the lock. One that is enabled, or gets another address,
 * begins without the failures it had.
 */
export async function updateWebhook(
  transaction: Transaction,
  id: number,
  changes: WebhookChanges,
): Promise<Webhook & { changed: boolean }> {
  const { rows } = await transaction.query<Webhook & { changed: boolean }>({
    text: `
      WITH next AS (
        SELECT id, coalesce($2, url) AS url, coalesce($7, enabled) AS enabled,
          CASE WHEN $3 THEN $4::text[] ELSE types END AS types,
          CASE WHEN $5 THEN $6 ELSE description END AS description
        FROM webhooks WHERE id = $1
      ), after AS (
        UPDATE webhooks w SET url = next.url, types = next.types, description = next.description,
          enabled = next.enabled, updated_at = clock_timestamp(),
          disabled_reason = CASE WHEN NOT next.enabled THEN w.disabled_reason END,
          failing_since = CASE WHEN $7 OR next.url <> w.url THEN NULL ELSE w.failing_since END,
          paused_until = CASE WHEN $7 OR next.url <> w.url THEN NULL ELSE w.paused_until END
        FROM next
        WHERE w.id = next.id AND (($7 AND w.failing_since IS NOT NULL)
          OR (next.url, next.types, next.description, next.enabled)
            IS DISTINCT FROM (w.url, w.types, w.description, w.enabled))
        RETURNING w.*
      )
      SELECT ${PUBLIC}, true AS changed FROM after w
      UNION ALL
      SELECT ${PUBLIC}, false FROM webhooks w WHERE w.id = $1 AND NOT EXISTS (SELECT FROM after)`,
    values: [
      id,
      changes.url ?? null,
      changes.types !== undefined,
      changes.types ?? null,
      changes.description !== undefined,
      changes.description ?? null,
      changes.enabled ?? null,
    ],
  })
  return rows[0]!
}

/** Gives it a new, sealed secret; the one before signs along for a day. */
export async function replaceSecret(db: Queryable, id: number, secret: Buffer): Promise<Webhook> {
  const { rows } = await db.query<Webhook & object>({
    text: `
      UPDATE webhooks w SET old_secret = w.secret, old_secret_until = now() + ${OVERLAP}, secret = $2,
        updated_at = clock_timestamp()
      WHERE w.id = $1 RETURNING ${PUBLIC}`,
    values: [id, secret],
  })
  return rows[0]!
}

/** Its deliveries go with it. */
export async function deleteWebhook(db: Queryable, id: number): Promise<void> {
  await db.query({ text: 'DELETE FROM webhooks WHERE id = $1', values: [id] })
}
