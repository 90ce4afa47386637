import sql, { empty, join, raw, type Sql } from 'sql-template-tag'
import type { Queryable, Statement } from '../../database/database.ts'
import type { Status, TaskRow } from './task.ts'
import { COLUMNS } from './task-columns.ts'
import type { JobState } from './task-job.ts'

const sortable = [
  'id',
  'created_at',
  'title',
  'status',
  'updated_at',
  'priority',
  'due_at',
  'position',
] as const
type SortColumn = (typeof sortable)[number]

export interface SortKey {
  column: SortColumn
  descending: boolean
}

/** Which tasks, in which order, and which page of them. */
export interface TaskQuery {
  /** Only this user's; undefined: everybody's. */
  owner: number | undefined
  statuses: Status[] | undefined
  completed: boolean | undefined
  hasJob?: boolean | undefined
  jobStates?: JobState[] | undefined
  sort: SortKey[]
  skip: number
  limit: number
}

export interface TaskPage {
  rows: TaskRow[]
  /** How many tasks match in all. */
  total: number
}

/**
 * Reads `-created_at,id` and the like; throws an Error that names the first unknown column.
 * `id` is appended where it is missing, so that the order is total and pages do not overlap.
 */
export function parseSort(text: string): SortKey[] {
  const keys = text.split(',').map((item) => {
    const [, minus, name] = /^(-?)(.*)$/.exec(item.trim())!
    const column = sortable.find((candidate) => candidate === name)
    if (!column) throw new Error(`has an unknown column "${name}"; there are ${sortable.join(', ')}`)
    return { column, descending: minus === '-' }
  })
  const unique = keys.filter((key, i) => keys.findIndex(({ column }) => column === key.column) === i)
  const byId = unique.findIndex(({ column }) => column === 'id')
  // No two rows have one id, so what comes after it decides nothing.
  return byId === -1 ? [...unique, { column: 'id', descending: false }] : unique.slice(0, byId + 1)
}

/** One page and the number of all matches, read in one statement (two when the page lies beyond the end). */
export async function listTasks(db: Queryable, query: TaskQuery): Promise<TaskPage> {
  const { rows } = await db.query<TaskRow & { total: number }>(pageStatement(query))
  const first = rows[0]
  if (first) return { rows, total: first.total }
  if (query.skip === 0) return { rows: [], total: 0 }
  const counted = await db.query<{ total: number }>(statement(count(query)))
  return { rows: [], total: counted.rows[0]!.total }
}

function matching({ owner, statuses, completed, hasJob, jobStates }: TaskQuery): Sql {
  const conditions = [
    sql`t.deleted_at IS NULL`,
    owner === undefined ? empty : sql`t.user_id = ${owner}`,
    statuses ? sql`t.status = ANY (${statuses})` : empty,
    completed === undefined ? empty : completed ? sql`t.status = 'done'` : sql`t.status <> 'done'`,
    hasJob === undefined ? empty : hasJob ? sql`t.job IS NOT NULL` : sql`t.job IS NULL`,
    jobStates ? sql`t.job ->> 'state' = ANY (${jobStates})` : empty,
  ]
  return sql`FROM tasks t WHERE ${join(
    conditions.filter((condition) => condition !== empty),
    ' AND ',
  )}`
}

function count(query: TaskQuery): Sql {
  return sql`SELECT count(*) AS total ${matching(query)}`
}

function page(query: TaskQuery): Sql {
  // Columns come from the fixed list above, so they may stand in the text.
  const order = query.sort.map(({ column, descending }) => raw(`t.${column} ${descending ? 'DESC' : 'ASC'}`))
  return sql`SELECT ${raw(COLUMNS)}, (${count(query)}) AS total ${matching(query)}
    ORDER BY ${join(order)} LIMIT ${query.limit} OFFSET ${query.skip}`
}

function statement({ text, values }: Sql): Statement {
  return { text, values }
}

const PLAIN_TEXT = page({
  owner: undefined,
  statuses: undefined,
  completed: undefined,
  sort: [{ column: 'id', descending: false }],
  skip: 0,
  limit: 100,
}).text

// The lists that are asked for most are prepared, and that of everybody's tasks is composed once.
function pageStatement(query: TaskQuery): Statement {
  const [key] = query.sort
  const { statuses, completed, hasJob, jobStates } = query
  const isFiltered = statuses || completed !== undefined || hasJob !== undefined || jobStates
  const isPlain = !isFiltered && key!.column === 'id' && !key!.descending
  if (!isPlain) return statement(page(query))
  return query.owner === undefined
    ? { name: 'task-list', quickRead: true, text: PLAIN_TEXT, values: [query.limit, query.skip] }
    : { name: 'task-list-own', quickRead: true, ...statement(page(query)) }
}
