import type { Queryable } from '../platform/database/database.ts'
import { EVENT_AUDIENCE, HAS_PUBLIC_TYPE, mayReceiveSql } from './audience.ts'
import { publicTypes, type StoredEvent } from './event-types.ts'
import type { EventFilter } from './reader-groups.ts'

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

const COLUMNS = `id, type, at, ${EVENT_AUDIENCE} AS audience, data`
const PAGE = `SELECT ${COLUMNS} FROM events WHERE id > $1 AND id <= $2 AND type = ANY ($3)`
const END = 'ORDER BY id LIMIT $4'
// `mayReceiveSql` decides. The conditions before it only lead each scan to its index: a user's own events and those of
// public types are read along one index each, and one condition for both would use neither. The two scans have no row
// in common.
const OWN = `${PAGE} AND user_id = $5 AND NOT ${HAS_PUBLIC_TYPE} AND ${mayReceiveSql('$5', EVENT_AUDIENCE)} ${END}`
const PUBLIC = `${PAGE} AND ${HAS_PUBLIC_TYPE} AND ${mayReceiveSql('$5', EVENT_AUDIENCE)} ${END}`
const pages = {
  everybody: `${PAGE} ${END}`,
  own: OWN,
  ownAndPublic: `(${OWN}) UNION ALL (${PUBLIC}) ${END}`,
}

/** The first `limit` events that pass the filter, with ids above `after` and up to `upTo`, in order. */
export async function readPage(
  db: Queryable,
  { types, scope }: EventFilter,
  range: { after: number; upTo: number; limit: number },
): Promise<Page> {
  const whose = scope.isUnlimited ? 'everybody' : types.isDisjointFrom(publicTypes) ? 'own' : 'ownAndPublic'
  const { rows } = await db.query<StoredEvent & { purged_to: number; id: number | null }>({
    name: `events-page-${whose}`,
    // One snapshot for both, so that a purge that comes between cannot be missed.
    text: `
      SELECT h.purged_to, e.* FROM event_horizon h LEFT JOIN LATERAL (${pages[whose]}) e ON true ORDER BY e.id`,
    values: [
      range.after,
      range.upTo,
      [...types],
      range.limit,
      ...(scope.isUnlimited ? [] : [scope.parameter]),
    ],
  })
  const purgedTo = rows[0]!.purged_to
  return { purgedTo, events: rows.filter(({ id }) => id !== null) }
}
