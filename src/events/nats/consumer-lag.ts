import type { Database } from '../../platform/database/database.ts'

/** Returns how many event ids the consumer `name` is behind; 0 if there is no such consumer. */
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
