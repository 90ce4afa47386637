import type { Actor } from '../../core/actor.ts'
import type { Queryable } from '../../platform/database/database.ts'

export const TICKET_SECONDS = 30

export async function insertTicket(db: Queryable, hash: Buffer, actor: Actor): Promise<void> {
  await db.query({
    name: 'ticket-insert',
    text: `INSERT INTO tickets (hash, actor, expires_at)
      VALUES ($1, $2, clock_timestamp() + make_interval(secs => ${TICKET_SECONDS}))`,
    values: [hash, JSON.stringify(actor)],
  })
}

/** Uses up a ticket and returns its user; undefined if it is unknown, used, expired, or its credential was revoked. */
export async function takeTicket(db: Queryable, hash: Buffer): Promise<Actor | undefined> {
  const { rows } = await db.query<{ actor: Actor }>({
    name: 'ticket-take',
    text: `
      WITH taken AS (DELETE FROM tickets WHERE hash = $1 RETURNING actor, expires_at)
      SELECT actor FROM taken
      WHERE expires_at > clock_timestamp() AND NOT EXISTS (
        SELECT FROM revocations r
        WHERE r.user_id = (actor->>'id')::integer
          AND (r.session_id::text = actor->>'sessionId' OR r.token_id::text = actor->>'tokenId'
            OR r.epoch > (actor->>'epoch')::integer))
        AND NOT EXISTS (
          SELECT FROM api_tokens t
          WHERE t.id = (actor->>'tokenId')::integer AND t.expires_at <= clock_timestamp())`,
    values: [hash],
  })
  return rows[0]?.actor
}

/** Removes up to `limit` expired tickets. Returns their number. */
export async function purgeTickets(db: Queryable, limit: number): Promise<number> {
  const { rowCount } = await db.query({
    text: 'DELETE FROM tickets WHERE hash IN (SELECT hash FROM tickets WHERE expires_at < now() LIMIT $1)',
    values: [limit],
  })
  return rowCount ?? 0
}
