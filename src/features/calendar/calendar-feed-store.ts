import type { Queryable, Transaction } from '../../platform/database/database.ts'
import type { CalendarFeed } from './calendar-feed.ts'

const PUBLIC = 'id, name, created_at, last_used_at'
export const MAX_FEEDS_PER_USER = 20

/** Inserts a feed; undefined if the user has the maximum number. Holds a lock on the user until the transaction ends. */
export async function insertCalendarFeed(
  transaction: Transaction,
  feed: { userId: number; name: string; hash: Buffer },
): Promise<CalendarFeed | undefined> {
  // A separate statement: the next one then counts feeds that were created while this one waited for the lock.
  await transaction.query({
    text: 'SELECT FROM users WHERE id = $1 FOR NO KEY UPDATE',
    values: [feed.userId],
  })
  const { rows } = await transaction.query<CalendarFeed & object>({
    text: `INSERT INTO calendar_feeds (user_id, name, token_hash) SELECT $1, $2, $3
      WHERE (SELECT count(*) FROM calendar_feeds WHERE user_id = $1) < ${MAX_FEEDS_PER_USER}
      RETURNING ${PUBLIC}`,
    values: [feed.userId, feed.name, feed.hash],
  })
  return rows[0]
}

export async function listCalendarFeeds(db: Queryable, userId: number): Promise<CalendarFeed[]> {
  const { rows } = await db.query<CalendarFeed & object>({
    text: `SELECT ${PUBLIC} FROM calendar_feeds WHERE user_id = $1 ORDER BY id`,
    values: [userId],
  })
  return rows
}

/** Deletes a feed. Returns false if the user has no such feed. */
export async function deleteCalendarFeed(db: Queryable, userId: number, id: number): Promise<boolean> {
  const { rowCount } = await db.query({
    text: 'DELETE FROM calendar_feeds WHERE id = $2 AND user_id = $1',
    values: [userId, id],
  })
  return rowCount === 1
}

/** Returns the owner of a feed, unless the owner is disabled. Records the time of use. */
export async function useCalendarFeed(db: Queryable, hash: Buffer): Promise<number | undefined> {
  const { rows } = await db.query<{ user_id: number }>({
    name: 'calendar-feed-use',
    text: `
      UPDATE calendar_feeds f SET last_used_at = clock_timestamp() FROM users u
      WHERE f.token_hash = $1 AND u.id = f.user_id AND NOT u.disabled
      RETURNING f.user_id`,
    values: [hash],
  })
  return rows[0]?.user_id
}
