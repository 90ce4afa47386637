import type { Queryable } from '../platform/database/database.ts'
import type { Audience } from './audience.ts'
import { publicTypes, type StoredEvent } from './event-types.ts'

/** Whether every event after the id `after` is still there; false too for an id that never was. */
export async function canResume(db: Queryable, after: number): Promise<boolean> {
  const { rows } = await db.query<{ possible: boolean }>({
    name: 'events-can-resume',
    read: 'quick',
    text: `
      SELECT purged_to <= $1
        AND coalesce(pg_sequence_last_value(pg_get_serial_sequence('events', 'id')::regclass), 0) >= $1 AS possible
      FROM event_horizon`,
    values: [after],
  })
  return rows[0]!.possible
}

/** Up to which id events have been purged. */
export async function readHorizon(db: Queryable): Promise<number> {
  const { rows } = await db.query<{ purged_to: number }>({ text: 'SELECT purged_to FROM event_horizon' })
  return rows[0]!.purged_to
}

export interface Page {
  events: StoredEvent[]
  /** Up to which id events had been purged when the page was read; beyond the cursor, some are missing. */
  purgedTo: number
}

const COLUMNS = 'id, type, at, user_id, data'
const PAGE = `SELECT ${COLUMNS} FROM events WHERE id > $1 AND id <= $2 AND type = ANY ($3)`
const END = 'ORDER BY id LIMIT $4'
/** The words of the index on these events, so that it is used. */
const IS_PUBLIC = `type IN (${Array.from(publicTypes, (type) => `'${type}'`).join(', ')})`

// One's own events and the public ones are two walks along an index each; together they would be none.
const pages = {
  everybody: `${PAGE} ${END}`,
  own: `${PAGE} AND user_id = $5 ${END}`,
  ownAndPublic: `(${PAGE} AND user_id = $5 ${END}) UNION ALL (${PAGE} AND ${IS_PUBLIC} AND user_id IS DISTINCT FROM $5 ${END}) ${END}`,
}

/** The first `limit` events of the audience with ids above `after` and up to `upTo`, in order. */
export async function readPage(
  db: Queryable,
  { types, owner }: Audience,
  range: { after: number; upTo: number; limit: number },
): Promise<Page> {
  const whose = owner === undefined ? 'everybody' : types.isDisjointFrom(publicTypes) ? 'own' : 'ownAndPublic'
  const { rows } = await db.query<StoredEvent & { purged_to: number; id: number | null }>({
    name: `events-page-${whose}`,
    // One snapshot for both, so that a purge that comes between cannot be missed.
    text: `
      SELECT h.purged_to, e.* FROM event_horizon h LEFT JOIN LATERAL (${pages[whose]}) e ON true ORDER BY e.id`,
    values: [range.after, range.upTo, [...types], range.limit, ...(owner === undefined ? [] : [owner])],
  })
  const purgedTo = rows[0]!.purged_to
  return { purgedTo, events: rows.filter(({ id }) => id !== null) }
}
