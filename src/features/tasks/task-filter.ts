import sql, { empty, join, type Sql } from 'sql-template-tag'
import type { AccessScope } from '../../core/access-scope.ts'
import { scopeFilter } from '../../platform/access/index.ts'
import type { Period } from '../../platform/http/period.ts'
import type { JobState } from './task-job.ts'
import { searchQuery } from './task-search.ts'
import { type Priority, type Status, statuses } from './task-status.ts'

/** A filter of tasks; an undefined field does not restrict the result. */
export interface TaskFilter {
  /** Limits the result to the tasks that the reader may see. */
  scope: AccessScope
  /** Every one of these must be the owner, so two different users match no task. */
  users: number[]
  statuses?: Status[] | undefined
  completed?: boolean | undefined
  priorities?: Priority[] | undefined
  /** In any letter case. */
  city?: string | undefined
  source?: string | undefined
  /** Selects tasks that have all of these labels. */
  labels?: string[] | undefined
  created?: Period | undefined
  due?: Period | undefined
  /** Due in the past and not done. */
  overdue?: boolean | undefined
  hasJob?: boolean | undefined
  jobStates?: JobState[] | undefined
  /** Words of the title and the description. */
  search?: string | undefined
  /** Selects tasks in the trash instead of the others. */
  trash?: true | undefined
}

/** The condition, on the table `t`, of the tasks of a filter. */
export function conditionOf(filter: TaskFilter): Sql {
  const { priorities, city, source, created, due, overdue, hasJob, jobStates, search } = filter
  const conditions = [
    filter.trash ? sql`t.deleted_at IS NOT NULL` : sql`t.deleted_at IS NULL`,
    scopeFilter(filter.scope, 't.user_id'),
    ...filter.users.map((user) => sql`t.user_id = ${user}`),
    statusIn(filter),
    priorities ? sql`t.priority = ANY (${priorities}::task_priority[])` : empty,
    city === undefined ? empty : sql`lower(t.city) = lower(${city})`,
    source === undefined ? empty : sql`t.source = ${source}`,
    ...labelled(filter),
    within(sql`t.created_at`, created),
    within(sql`t.due_at`, due),
    overdue === true ? sql`t.due_at < now() AND t.status <> 'done'` : empty,
    overdue === false ? sql`(t.due_at IS NULL OR t.due_at >= now() OR t.status = 'done')` : empty,
    hasJob === undefined ? empty : hasJob ? sql`t.job IS NOT NULL` : sql`t.job IS NULL`,
    jobStates ? sql`t.job ->> 'state' = ANY (${jobStates})` : empty,
    search === undefined ? empty : sql`t.search @@ ${searchQuery(search)}`,
  ]
  return join(
    conditions.filter((condition) => condition !== empty),
    ' AND ',
  )
}

/** The tasks, of those that are not in the trash, that have a label: an index on both, in the order of ids. */
export function tasksLabelled(label: string): Sql {
  return sql`FROM task_labels WHERE label = ${label}`
}

function labelled({ labels = [], trash }: TaskFilter): Sql[] {
  if (trash) return labels.length > 0 ? [sql`t.labels @> ${labels}`] : []
  return labels.map((label) => sql`t.id IN (SELECT task_id ${tasksLabelled(label)})`)
}

// One status is asked for by `=`, which an index on it answers in the order of ids.
function statusIn({ statuses: named, completed }: TaskFilter): Sql {
  if (!named && completed === undefined) return empty
  const allowed = statuses.filter(
    (status) =>
      (named?.includes(status) ?? true) && (completed === undefined || (status === 'done') === completed),
  )
  return allowed.length === 1 ? sql`t.status = ${allowed[0]}` : sql`t.status = ANY (${allowed})`
}

function within(column: Sql, period: Period | undefined): Sql {
  if (!period) return empty
  const { from, to } = period
  if (from === undefined) return sql`${column} <= ${to}`
  return to === undefined ? sql`${column} >= ${from}` : sql`${column} BETWEEN ${from} AND ${to}`
}

/**
 * Limits the ids to those of a period, in the order of the list. PostgreSQL assumes that the tasks of a period are
 * spread evenly over the ids, and would otherwise read all tasks before the period.
 */
export function idsOfPeriod({ from = '-infinity', to = 'infinity' }: Period, descending: boolean): Sql {
  const first = sql`(SELECT task_id_of_period(${from}, ${to}, ${descending}))`
  return descending ? sql`t.id <= ${first}` : sql`t.id >= ${first}`
}
