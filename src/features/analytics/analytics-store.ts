import sql, { empty, raw, type Sql } from 'sql-template-tag'
import type { AccessScope } from '../../core/access-scope.ts'
import { scopeFilter } from '../../platform/access/index.ts'
import type { Database, Queryable } from '../../platform/database/database.ts'
import type { Status } from '../tasks/index.ts'

/** Days such as `2025-12-15`, both of the period; undefined: without a bound. */
export interface AnalyticsPeriod {
  from: string | undefined
  to: string | undefined
}

/** How many tasks were created in the period, by status and by user, and what happened on each of its days. */
export type AnalyticsCount =
  | { kind: 'status'; key: Status; value: number }
  /** `key` is the name; null: of nobody. */
  | { kind: 'user'; key: string | null; value: number }
  | { kind: 'created' | 'completed'; key: string; value: number }
  /** In seconds; null: nothing was completed. */
  | { kind: 'median'; key: null; value: number | null }

/** Not known to this PostgreSQL, though it is a time zone of the IANA database. */
export class UnknownTimeZone extends Error {}

const INVALID_PARAMETER_VALUE = '22023'

/**
 * Counts the tasks within the scope. Days are those of the session's time zone, which costs half as much
 * as `AT TIME ZONE` in each row, and takes names of zones only, where that takes abbreviations first.
 */
export async function countTasks(
  db: Database,
  scope: AccessScope,
  period: AnalyticsPeriod,
  zone: string,
): Promise<AnalyticsCount[]> {
  if (zone === 'UTC') return figures(db, scope, period)
  return db.transaction(async (transaction) => {
    await setTimeZone(transaction, zone)
    return figures(transaction, scope, period)
  })
}

async function setTimeZone(db: Queryable, zone: string): Promise<void> {
  try {
    await db.query({ text: "SELECT set_config('TimeZone', $1, true)", values: [zone] })
  } catch (error) {
    if ((error as { code?: string }).code === INVALID_PARAMETER_VALUE) throw new UnknownTimeZone(zone)
    throw error
  }
}

async function figures(
  db: Queryable,
  scope: AccessScope,
  period: AnalyticsPeriod,
): Promise<AnalyticsCount[]> {
  const { text, values } = statement(scope, period)
  return (await db.query<AnalyticsCount & object>({ text, values })).rows
}

/**
 * Everything is read once and counted in two hash tables at the same time; what was done is read from its index.
 * OFFSET keeps the planner from computing each day anew wherever it is used.
 */
function statement(scope: AccessScope, period: AnalyticsPeriod): Sql {
  const own = scopeFilter(scope, 'user_id')
  const counted = sql`deleted_at IS NULL ${own === empty ? empty : sql`AND ${own}`}`
  const done = sql`FROM tasks WHERE ${counted} AND done_at IS NOT NULL
    AND ${near('done_at', period)} AND ${isIn('done_at::date', period)}`
  return sql`
    WITH counted AS (
      SELECT user_id, status, created_on, count(*) AS n FROM (
        SELECT user_id, status, created_at::date AS created_on FROM tasks
        WHERE ${counted} AND ${near('created_at', period)} OFFSET 0
      ) AS task WHERE ${isIn('created_on', period)}
      GROUP BY GROUPING SETS ((user_id), (status, created_on))
    )
    SELECT 'status' AS kind, status AS key, sum(n)::double precision AS value
      FROM counted WHERE status IS NOT NULL GROUP BY status
    UNION ALL
    SELECT 'user', username, n FROM counted LEFT JOIN users ON users.id = user_id WHERE status IS NULL
    UNION ALL
    SELECT 'created', created_on::text, sum(n) FROM counted WHERE status IS NOT NULL GROUP BY created_on
    UNION ALL
    SELECT 'completed', done_at::date::text, count(*) ${done} GROUP BY done_at::date
    UNION ALL
    SELECT 'median', NULL, percentile_cont(0.5) WITHIN GROUP (ORDER BY date_part('epoch', done_at - created_at))
      ${done} AND done_at > created_at`
}

const always = raw('true')

/** By days and not by instants: there are days that begin twice, and days that do not begin at midnight. */
function isIn(day: string, { from, to }: AnalyticsPeriod): Sql {
  const after = from === undefined ? always : sql`${raw(day)} >= ${from}`
  const before = to === undefined ? always : sql`${raw(day)} <= ${to}`
  return sql`(${after} AND ${before})`
}

/** A wider period, of instants, for which no day has to be computed. */
function near(instant: string, { from, to }: AnalyticsPeriod): Sql {
  const after = from === undefined ? always : sql`${raw(instant)} > ${from}::date - 2`
  const before = to === undefined ? always : sql`${raw(instant)} < ${to}::date + 3`
  return sql`(${after} AND ${before})`
}
