import type { AccessScope } from '../../core/access-scope.ts'
import { validationError } from '../../core/errors.ts'
import type { Queryable } from '../../platform/database/database.ts'
import { type Period, periodOf } from '../../platform/http/period.ts'
import { findUser, findUserByName } from '../users/index.ts'
import type { ListTasks, TaskFilterFields } from './list-schema.ts'
import { readCursor } from './task-cursor.ts'
import type { TaskFilter } from './task-filter.ts'
import type { TaskQuery } from './task-query.ts'
import { byRank, lastDeletedFirst, newestFirst, parseSort, type SortKey } from './task-sort.ts'

/** A user id that owns no task. */
const NOBODY = 0

/** The list that a query asks for, within the scope. Throws a validation error if the query is wrong. */
export async function readList(
  db: Queryable,
  scope: AccessScope,
  { skip, limit, cursor, sort, ...fields }: ListTasks,
): Promise<TaskQuery> {
  const filter = await readFilter(db, scope, fields)
  const keys = sort === undefined ? undefined : sortKeys(sort)
  if (cursor === undefined) return { filter, sort: keys ?? defaultSort(filter), start: { skip }, limit }
  const wrong = (message: string) => validationError([{ path: 'query.cursor', message }])
  if (skip > 0) throw wrong('is instead of `skip`, not with it')
  const order = keys ?? defaultSort(filter)
  const read = readCursor(filter, order ? [order] : [byRank, newestFirst], cursor)
  if (cursor !== '' && !read) throw wrong('is none of this list: begin with an empty one, and follow `Link`')
  return { filter, sort: order, start: { cursor: read }, limit }
}

/** The filter that the fields of a query describe, within the scope. */
export async function readFilter(
  db: Queryable,
  scope: AccessScope,
  fields: TaskFilterFields,
): Promise<TaskFilter> {
  const users = [fields.user_id, await userOf(db, fields.user)]
  return {
    scope,
    users: [...new Set(users.filter((user) => user !== undefined))],
    statuses: fields.status,
    completed: fields.completed,
    priorities: fields.priority,
    city: fields.city,
    source: fields.source,
    labels: fields.label,
    created: period(fields.created_from, fields.created_to, 'created_'),
    due: period(fields.due_from, fields.due_to, 'due_'),
    overdue: fields.overdue,
    hasJob: fields.has_job,
    jobStates: fields.job_state,
    search: fields.q,
    trash: fields.trash || undefined,
  }
}

async function userOf(db: Queryable, user: string | undefined): Promise<number | undefined> {
  if (user === undefined) return undefined
  const id = /^\d{1,9}$/.test(user) ? Number(user) : undefined
  if (id !== undefined && (await findUser(db, id))) return id
  // A name may be a number too.
  return (await findUserByName(db, user))?.id ?? id ?? NOBODY
}

function period(from: string | undefined, to: string | undefined, prefix: string): Period | undefined {
  if (from === undefined && to === undefined) return undefined
  return periodOf({ ...(from !== undefined && { from }), ...(to !== undefined && { to }) }, prefix)
}

/** undefined where it is for the search to say. */
function defaultSort({ search, trash }: TaskFilter): SortKey[] | undefined {
  if (trash) return lastDeletedFirst
  return search === undefined ? parseSort('id') : undefined
}

function sortKeys(text: string): SortKey[] {
  try {
    return parseSort(text)
  } catch (error) {
    throw validationError([{ path: 'query.sort', message: (error as Error).message }])
  }
}
