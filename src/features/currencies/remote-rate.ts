import { PUBLIC_AUDIENCE } from '../../events/audience.ts'
import type { Queryable } from '../../platform/database/database.ts'
import { SNAPSHOT } from './currency-events.ts'
import type { RemoteRate } from './currency-message.ts'

/**
 * Inserts or updates a rate that another service published, with its event and history, in one statement. Returns
 * false and changes nothing if a message with this `key` was taken before, also when the process died before it could
 * acknowledge that message.
 */
export async function insertRemoteRate(
  db: Queryable,
  { code, rate, timestamp }: RemoteRate,
  key: string | undefined,
): Promise<boolean> {
  const { rowCount } = await db.query({
    name: 'currency-take-remote',
    text: `
      WITH inbox AS (
        INSERT INTO nats_inbox (message) SELECT $4 WHERE $4::text IS NOT NULL ON CONFLICT DO NOTHING RETURNING message
      ), c AS (
        INSERT INTO currencies (code, rate, nominal, source, rated_at)
        SELECT $1, trim_scale($2::numeric), 1, 'remote', coalesce($3::timestamptz, clock_timestamp())
        WHERE $4::text IS NULL OR EXISTS (SELECT FROM inbox)
        ON CONFLICT (code) DO UPDATE SET rate = excluded.rate, source = excluded.source,
          rated_at = excluded.rated_at, version = currencies.version + 1
        RETURNING *
      ), noted AS (
        INSERT INTO currency_rates (currency_id, at, source, rate) SELECT id, rated_at, source, rate FROM c
        ON CONFLICT (currency_id, at, source) DO UPDATE SET rate = excluded.rate
      )
      INSERT INTO events (type, audience, data) SELECT 'add_data_from_remote_source', ${PUBLIC_AUDIENCE}, ${SNAPSHOT} FROM c`,
    values: [code, rate, timestamp, key ?? null],
  })
  return rowCount === 1
}

/** Removes up to `limit` keys of messages that no stream keeps any longer; returns how many it removed. */
export async function purgeRateMessages(db: Queryable, limit: number): Promise<number> {
  const { rowCount } = await db.query({
    text: `DELETE FROM nats_inbox WHERE message IN (
      SELECT message FROM nats_inbox WHERE at < now() - interval '8 days' LIMIT $1)`,
    values: [limit],
  })
  return rowCount ?? 0
}
