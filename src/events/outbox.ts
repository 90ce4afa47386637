import type { Queryable, Transaction } from '../platform/database/database.ts'
import { audienceOf } from './audience.ts'
import type { EventType } from './event-types.ts'

/**
 * Appends one event in the caller's transaction: it is published if and only if the change is committed.
 *
 * Statements that change rows and publish in one round trip insert into `events` themselves, in a CTE that
 * reads from the changed rows: the event then takes its id after the row's lock, and the events of
 * one row are numbered in the order of its changes.
 */
export async function appendEvent(
  transaction: Transaction,
  event: { type: EventType; userId?: number; data: object },
): Promise<void> {
  const { type, userId = null, data } = event
  await transaction.query({
    name: 'append-event',
    text: 'INSERT INTO events (type, user_id, audience, data) VALUES ($1, $2, $3, $4)',
    values: [type, userId, audienceOf(type, userId), JSON.stringify(data)],
  })
}

/**
 * Removes those of the first `limit` events that are older than `days`, and returns their number. Ids grow with time,
 * so a result below `limit` means that nothing is left to remove, and no index on time is needed, which would slow
 * down every write.
 */
export async function purgeEvents(db: Queryable, days: number, limit: number): Promise<number> {
  const { rows } = await db.query<{ count: number }>({
    // The highest removed id is stored, so that a reader before it is told that events are missing.
    text: `
      WITH gone AS (
        DELETE FROM events WHERE at < now() - make_interval(days => $1)
          AND id IN (SELECT id FROM events ORDER BY id LIMIT $2) RETURNING id
      ), horizon AS (
        UPDATE event_horizon SET purged_to = greatest(purged_to, (SELECT max(id) FROM gone))
        WHERE EXISTS (SELECT FROM gone)
      )
      SELECT count(*) AS count FROM gone`,
    values: [days, limit],
  })
  return rows[0]!.count
}
