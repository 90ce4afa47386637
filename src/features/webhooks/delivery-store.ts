import { audienceOfUser } from '../../events/audience.ts'
import type { Audience } from '../../events/event-types.ts'
import type { Queryable, Transaction } from '../../platform/database/database.ts'
import { DELIVERY_AUDIENCE } from './attempt-store.ts'
import type { Delivery, DeliveryState } from './webhook.ts'

const PUBLIC = `d.id, d.webhook_id, d.event_id, d.type, d.state, d.attempts, d.response_status, d.error,
  d.created_at, d.last_attempt_at, d.next_attempt_at, d.finished_at`
/** Extra days for a waiting delivery, since one that is redelivered on its last day is retried for a day more. */
const WAITING_DAYS = 2

/** A delivery with its request body and the audience of its event. */
export type WholeDelivery = Delivery & { body: string; audience: Audience }

/** Returns the deliveries with an id below `before`, newest first. */
export async function listDeliveries(
  db: Queryable,
  webhookId: number,
  page: { before: number | undefined; limit: number; state: DeliveryState | undefined },
): Promise<Delivery[]> {
  const { rows } = await db.query<Delivery & object>({
    text: `SELECT ${PUBLIC} FROM webhook_deliveries d
      WHERE d.webhook_id = $1 AND ($2::bigint IS NULL OR d.id < $2) AND ($3::text IS NULL OR d.state = $3)
      ORDER BY d.id DESC LIMIT $4`,
    values: [webhookId, page.before, page.state, page.limit],
  })
  return rows
}

export async function findDelivery(
  db: Queryable,
  webhookId: number,
  id: number,
): Promise<WholeDelivery | undefined> {
  const { rows } = await db.query<WholeDelivery & object>({
    text: `SELECT ${PUBLIC}, d.body, ${DELIVERY_AUDIENCE} AS audience FROM webhook_deliveries d
      WHERE d.webhook_id = $1 AND d.id = $2`,
    values: [webhookId, id],
  })
  return rows[0]
}

/** Inserts a message that is not an event as a delivery that is due now. */
export async function insertDelivery(
  transaction: Transaction,
  message: { webhookId: number; eventId: string; userId: number | null; type: string; body: string },
): Promise<Delivery> {
  const { rows } = await transaction.query<Delivery & object>({
    text: `INSERT INTO webhook_deliveries AS d (webhook_id, event_id, event_user_id, event_audience, type, body, next_attempt_at)
      VALUES ($1, $2, $3, ${audienceOfUser('$3::integer')}, $4, $5, now()) RETURNING ${PUBLIC}`,
    values: [message.webhookId, message.eventId, message.userId, message.type, message.body],
  })
  return rows[0]!
}

/** Makes a delivery due now with all its attempts, whatever its state. */
export async function restartDelivery(
  transaction: Transaction,
  webhookId: number,
  id: number,
): Promise<Delivery | undefined> {
  const { rows } = await transaction.query<Delivery & object>({
    text: `UPDATE webhook_deliveries d
      SET state = 'waiting', tries = 0, next_attempt_at = now(), finished_at = NULL
      WHERE d.webhook_id = $1 AND d.id = $2 RETURNING ${PUBLIC}`,
    values: [webhookId, id],
  })
  return rows[0]
}

/**
 * Deletes the expired ones among the `limit` deliveries with the smallest ids and returns how many. A delivery expires
 * after `days` days, a waiting one two days later. Ids grow with time, so no index on time is needed.
 */
export async function purgeDeliveries(db: Queryable, days: number, limit: number): Promise<number> {
  const { rowCount } = await db.query({
    text: `DELETE FROM webhook_deliveries
      WHERE id IN (SELECT id FROM webhook_deliveries ORDER BY id LIMIT $2)
        AND created_at < now() - make_interval(days => $1)
        AND (state <> 'waiting' OR created_at < now() - make_interval(days => $1 + ${WAITING_DAYS}))`,
    values: [days, limit],
  })
  return rowCount ?? 0
}
