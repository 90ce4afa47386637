import sql, { raw, type Sql } from 'sql-template-tag'
import type { Queryable } from '../../platform/database/database.ts'
import { conditionOf, type TaskFilter, tasksLabelled } from './task-filter.ts'

/** How many tasks match in all. */
export interface Total {
  count: number
  /** Else it is PostgreSQL's estimate. */
  exact: boolean
}

/** Maximum number of matches that are counted exactly. */
const BOUND = 10_000
/**
 * Fewer, where each has to be looked up, and where no two lists are alike: a number of matches that is asked for
 * with a new period each time is never remembered, and counting 10,000 costs a millisecond.
 */
const LOW_BOUND = 1_000
/** For so long a list that was longer than its bound is taken to be so still. */
const REMEMBERED_MS = 10_000
const REMEMBERED = 1_000

const memories = new WeakMap<Queryable, Map<string, { count: number; until: number }>>()

/** Returns the maximum number of matches that are counted exactly. */
export function boundOf({ search, labels, created, due }: TaskFilter): number {
  return search || labels || created || due ? LOW_BOUND : BOUND
}

/** The number of matches, or one more than the bound where there are more. */
export function boundedCount(filter: TaskFilter): Sql {
  return sql`(SELECT count(*) FROM (SELECT ${matches(filter)} LIMIT ${raw(String(boundOf(filter) + 1))}) m)`
}

/** Returns SQL that selects one row for each match. */
function matches(filter: TaskFilter): Sql {
  const { scope, users, labels = [], ...others } = filter
  const isLabelled =
    scope.isUnlimited && users.length === 0 && Object.values(others).every((value) => value === undefined)
  // The index says it alone, without a look at the tasks.
  if (isLabelled && labels.length === 1) return tasksLabelled(labels[0]!)
  return sql`FROM tasks t WHERE ${conditionOf(filter)}`
}

/** The estimate of a list that was too long to count a moment ago. */
export function rememberedTotal(db: Queryable, filter: TaskFilter): Total | undefined {
  const memory = memories.get(db)?.get(JSON.stringify(filter))
  return memory && memory.until > Date.now() ? { count: memory.count, exact: false } : undefined
}

/** Returns the exact count up to the bound; above it an estimate, which is cached for a while. */
export async function totalOf(db: Queryable, filter: TaskFilter, counted: number): Promise<Total> {
  if (counted <= boundOf(filter)) return { count: counted, exact: true }
  const count = Math.max(counted, await estimate(db, filter))
  const memory = memories.get(db) ?? new Map()
  memories.set(db, memory)
  if (memory.size >= REMEMBERED) memory.clear()
  memory.set(JSON.stringify(filter), { count, until: Date.now() + REMEMBERED_MS })
  return { count, exact: false }
}

async function estimate(db: Queryable, filter: TaskFilter): Promise<number> {
  const { text, values } = sql`EXPLAIN (FORMAT JSON) SELECT ${matches(filter)}`
  const { rows } = await db.query<{ 'QUERY PLAN': [{ Plan: { 'Plan Rows': number } }] }>({
    text,
    values,
    read: 'list',
  })
  return rows[0]!['QUERY PLAN'][0].Plan['Plan Rows']
}
