import { mayReceiveSql, userOfAudience } from '../../events/audience.ts'
import type { EventConsumer } from '../../events/event-consumers.ts'
import type { Frame } from '../../events/frame.ts'
import { storedScope } from '../../platform/access/index.ts'
import type { Database, Transaction } from '../../platform/database/database.ts'
import type { DeliveryQueue } from './delivery-queue.ts'
import { bookRuns } from './delivery-run-store.ts'

export const WEBHOOK_CONSUMER = 'webhooks'

/**
 * Turns events into deliveries, in the transaction that moves the feed's position: each event once for
 * each webhook that wants it and whose owner may read it now.
 */
export function webhookConsumer({ db, queue }: { db: Database; queue: DeliveryQueue }): EventConsumer {
  return {
    name: WEBHOOK_CONSUMER,
    async wanted() {
      const { rows } = await db.query<{ wanted: boolean }>({
        name: 'webhooks-wanted',
        text: 'SELECT EXISTS (SELECT FROM webhooks WHERE enabled) AS wanted',
      })
      return rows[0]!.wanted
    },
    async take(frames, advance) {
      await db.transaction(async (transaction) => {
        // Without a text it cannot be told, to anybody.
        const told = frames.filter(({ text }) => text !== '')
        const webhookIds = await insertDeliveries(transaction, told)
        if (webhookIds.length > 0) await bookRuns(transaction, queue, webhookIds)
        await advance(transaction)
      })
      queue.wake()
    },
  }
}

/** Returns the webhooks that got any. */
async function insertDeliveries(transaction: Transaction, frames: readonly Frame[]): Promise<number[]> {
  const { rows } = await transaction.query<{ webhook_id: number }>({
    name: 'webhook-deliveries-insert',
    // The lock keeps a webhook until the commit from being deleted, and a run of it from ending unseen.
    text: `
      WITH d AS (
        INSERT INTO webhook_deliveries (webhook_id, event_id, event_user_id, event_audience, type, body, next_attempt_at)
        SELECT w.id, e.id, ${userOfAudience('e.audience')}, e.audience, e.type, e.body, now()
        FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[]) AS e (id, audience, type, body)
          JOIN webhooks w ON w.enabled AND e.id > w.after_event AND (w.types IS NULL OR e.type = ANY (w.types))
          LEFT JOIN users u ON u.id = w.user_id
        WHERE (w.user_id IS NULL OR NOT u.disabled)
          AND ${mayReceiveSql(storedScope('w.user_id', 'u'), 'e.audience')}
        ORDER BY e.id, w.id
        FOR KEY SHARE OF w
        RETURNING webhook_id
      )
      SELECT DISTINCT webhook_id FROM d`,
    values: [
      frames.map(({ id }) => id),
      frames.map(({ audience }) => audience),
      frames.map(({ type }) => type),
      frames.map(({ text }) => text),
    ],
  })
  return rows.map(({ webhook_id: id }) => id)
}
