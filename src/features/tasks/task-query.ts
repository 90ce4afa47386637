import {
  DummyDriver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type SelectQueryBuilder,
} from 'kysely'
import type { Queryable, Statement } from '../../database/database.ts'
import type { Status, TaskRow } from './task.ts'

const sortable = ['id', 'created_at', 'title', 'status', 'updated_at'] as const
type SortColumn = (typeof sortable)[number]

export interface SortKey {
  column: SortColumn
  descending: boolean
}

/** Which tasks, in which order, and which page of them. */
export interface TaskQuery {
  statuses: Status[] | undefined
  completed: boolean | undefined
  sort: SortKey[]
  skip: number
  limit: number
}

export interface TaskPage {
  rows: TaskRow[]
  /** How many tasks match in all. */
  total: number
}

interface Schema {
  tasks: TaskRow & { deleted_at: string | null }
}
type Tasks<O = object> = SelectQueryBuilder<Schema, 'tasks', O>

// Kysely composes the text only; the statement runs on our own connections.
const builder = new Kysely<Schema>({
  dialect: {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  },
})

const columns = [
  'id',
  'title',
  'description',
  'status',
  'city',
  'weather',
  'user_id',
  'source',
  'version',
  'created_at',
  'updated_at',
] as const

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
  if (!unique.some(({ column }) => column === 'id')) unique.push({ column: 'id', descending: false })
  return unique
}

/** One page and the number of all matches, read in one statement (two when the page lies beyond the end). */
export async function listTasks(db: Queryable, query: TaskQuery): Promise<TaskPage> {
  const { rows } = await db.query<TaskRow & { total: number }>(pageStatement(query))
  const first = rows[0]
  if (first) return { rows, total: first.total }
  if (query.skip === 0) return { rows: [], total: 0 }
  const counted = await db.query<{ total: number }>(compiled(count(query)))
  return { rows: [], total: counted.rows[0]!.total }
}

function matching(query: TaskQuery): Tasks {
  let tasks: Tasks = builder.selectFrom('tasks').where('deleted_at', 'is', null)
  if (query.statuses) tasks = tasks.where('status', 'in', query.statuses)
  if (query.completed !== undefined) tasks = tasks.where('status', query.completed ? '=' : '<>', 'done')
  return tasks
}

function count(query: TaskQuery) {
  return matching(query).select(({ fn }) => fn.countAll<number>().as('total'))
}

function page(query: TaskQuery) {
  const selected = matching(query).select(columns).select(count(query).as('total'))
  return query.sort
    .reduce((tasks, { column, descending }) => tasks.orderBy(column, descending ? 'desc' : 'asc'), selected)
    .limit(query.limit)
    .offset(query.skip)
}

function compiled(query: { compile(): { sql: string; parameters: readonly unknown[] } }): Statement {
  const { sql, parameters } = query.compile()
  return { text: sql, values: [...parameters] }
}

const plain: TaskQuery = {
  statuses: undefined,
  completed: undefined,
  sort: [{ column: 'id', descending: false }],
  skip: 0,
  limit: 100,
}
const PLAIN_TEXT = compiled(page(plain)).text

// The list that is asked for most is compiled and prepared once.
function pageStatement(query: TaskQuery): Statement {
  const [key] = query.sort
  const isPlain = !query.statuses && query.completed === undefined && key!.column === 'id' && !key!.descending
  return isPlain
    ? { name: 'task-list', quickRead: true, text: PLAIN_TEXT, values: [query.limit, query.skip] }
    : compiled(page(query))
}
