import { scopeOf } from '../../core/access-scope.ts'
import type { Actor } from '../../core/actor.ts'
import { authorize } from '../../core/authorization.ts'
import { validationError } from '../../core/errors.ts'
import type { Database } from '../../platform/database/database.ts'
import { type Status, statuses } from '../tasks/index.ts'
import { type AnalyticsQuery, analyticsFormats } from './analytics-schemas.ts'
import { type AnalyticsCount, countTasks, UnknownTimeZone } from './analytics-store.ts'

/** Whose the tasks of no user are; no name of a user has brackets. */
const NOBODY = '(nobody)'

export interface Analytics {
  by_status: Record<string, number>
  by_user: Record<string, number>
  by_day: { date: string; created: number; completed: number }[]
  total: number
  median_seconds_to_done: number | null
}

/** The figures of the tasks that the actor may see. */
export async function analyticsFor(
  db: Database,
  actor: Actor,
  query: AnalyticsQuery,
  label: (status: Status) => string,
): Promise<Analytics> {
  authorize(actor, 'task.read')
  const { start_date: from, end_date: to, tz } = query
  if (from !== undefined && to !== undefined && from > to)
    throw validationError([{ path: 'query.end_date', message: 'is before `start_date`' }])
  try {
    return arranged(await countTasks(db, scopeOf(actor), { from, to }, tz), label)
  } catch (error) {
    if (!(error instanceof UnknownTimeZone)) throw error
    throw validationError([{ path: 'query.tz', message: analyticsFormats['time-zone'].message }])
  }
}

function arranged(figures: AnalyticsCount[], label: (status: Status) => string): Analytics {
  const byStatus = new Map<string, number>(statuses.map((status) => [label(status), 0]))
  const byUser = new Map<string, number>()
  const byDay = new Map<string, { created: number; completed: number }>()
  let median: number | null = null
  for (const { kind, key, value } of figures) {
    if (kind === 'status') byStatus.set(label(key), value)
    else if (kind === 'user') byUser.set(key ?? NOBODY, value)
    else if (kind === 'median') median = value
    else byDay.set(key, { created: 0, completed: 0, ...byDay.get(key), [kind]: value })
  }
  const inOrder = <T>(entries: Map<string, T>) => [...entries].sort(([a], [b]) => (a < b ? -1 : 1))
  return {
    by_status: Object.fromEntries(byStatus),
    by_user: Object.fromEntries(inOrder(byUser)),
    by_day: inOrder(byDay).map(([date, day]) => ({ date, ...day })),
    total: byStatus.values().reduce((sum, count) => sum + count, 0),
    median_seconds_to_done: median,
  }
}
