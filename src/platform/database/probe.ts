import pg from 'pg'
import { type ConnectionOptions, withSessionOptions } from './database.ts'

/** The version, settings and state that a database reports. */
export interface Vitals {
  /** `server_version_num`, such as 180004. */
  version: number
  /** Names of the migrations that were applied; empty where there was none yet. */
  applied: string[]
  /** Whether we may make tables. */
  mayCreate: boolean
  /** A standby, or a server that was set so, takes no writes. */
  readOnly: boolean
  /** Difference of its clock to this machine's, in milliseconds; negative: it is behind. */
  clockAheadMs: number
}

/** Looks at a database by a connection of its own, and changes nothing; rejects with the error of the driver. */
export async function probeDatabase(
  connection: ConnectionOptions,
  milliseconds: number,
  now: () => number = Date.now,
): Promise<Vitals> {
  const client = new pg.Client({
    ...withSessionOptions(connection),
    application_name: 'taskwire-doctor',
    connectionTimeoutMillis: milliseconds,
    query_timeout: milliseconds,
  })
  client.on('error', () => {}) // A lost connection fails the statement on it.
  try {
    await client.connect()
    const asked = now()
    const { rows } = await client.query<Omit<Vitals, 'applied' | 'clockAheadMs'> & Seen>(`
      SELECT current_setting('server_version_num')::integer AS version,
        coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) AS "mayCreate",
        current_setting('transaction_read_only')::boolean AS "readOnly",
        to_regclass('schema_migrations') IS NOT NULL AS "isMigrated",
        extract(epoch FROM clock_timestamp())::float8 * 1000 AS time`)
    const answered = now()
    const { isMigrated, time, ...seen } = rows[0]!
    return {
      ...seen,
      applied: isMigrated ? await appliedTo(client) : [],
      clockAheadMs: time - (asked + answered) / 2,
    }
  } finally {
    await client.end().catch(() => {})
  }
}

interface Seen {
  isMigrated: boolean
  time: number
}

async function appliedTo(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>('SELECT name FROM schema_migrations ORDER BY name')
  return rows.map(({ name }) => name)
}
