import type { Database } from '../../platform/database/database.ts'

/** How many event ids the feed `name` is behind; 0 while there is no such feed. */
export async function consumerLag(db: Database, name: string): Promise<number> {
  const { rows } = await db.query<{ lag: number }>({
    text: `
      SELECT greatest(0, coalesce(pg_sequence_last_value(pg_get_serial_sequence('events', 'id')::regclass), 0) - position)
        AS lag
      FROM event_feeds WHERE name = $1`,
    values: [name],
  })
  return rows[0]?.lag ?? 0
}
