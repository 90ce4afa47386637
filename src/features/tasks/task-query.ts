import sql, { empty, join, raw, type Sql } from 'sql-template-tag'
import { scopeOf } from '../../core/access-scope.ts'
import { operator } from '../../core/actor.ts'
import type { Queryable, Statement } from '../../platform/database/database.ts'
import { COLUMNS, rowOfValues, type TaskRow, type TaskValues, valuesBehind } from './task-columns.ts'
import { type Cursor, writeCursor } from './task-cursor.ts'
import { conditionOf, idsOfPeriod, type TaskFilter } from './task-filter.ts'
import {
  byRank,
  type CursorValues,
  isAfter,
  newestFirst,
  orderBy,
  rankOf,
  reversed,
  type SortKey,
} from './task-sort.ts'
import { boundedCount, boundOf, rememberedTotal, type Total, totalOf } from './task-totals.ts'

/** Which tasks, in which order, and which page of them. */
export interface TaskQuery {
  filter: TaskFilter
  /** undefined: the best match first, where there are not too many for that to mean anything. */
  sort: SortKey[] | undefined
  /** By offset, or after a cursor that stays right while rows come and go; the first such page has none. */
  start: { skip: number } | { cursor: Cursor | undefined }
  limit: number
}

/** The query parameters at which another page of a list starts. */
export type PageStart = { skip: number } | { cursor: string }

/** A listed task; `deleted_at` is present for tasks in the trash. */
export type ListedTask = TaskRow & { deleted_at?: string }

export interface TaskPage {
  rows: ListedTask[]
  total: Total
  next: PageStart | undefined
  previous: PageStart | undefined
}

type Row = ListedTask & { rank?: number }

type SortedQuery = TaskQuery & { sort: SortKey[] }

/** The rows read for a page, plus one more row if there is a next page. */
interface ReadPage {
  read: TaskValues[]
  sort: SortKey[]
  total: Total
}

/** One page and the number of all matches: in one statement, unless more of both has to be known first. */
export async function listTasks(db: Queryable, query: TaskQuery): Promise<TaskPage> {
  const { read, sort, total } = await readPage(db, query)
  const extras = extrasOf(query.filter, sort)
  const rows = read.slice(0, query.limit).map((values) => rowOf(values, extras))
  if (cursorOf(query)?.backwards) rows.reverse()
  return { rows, total, ...pagesBeside({ ...query, sort }, rows, read.length > query.limit) }
}

async function readPage(db: Queryable, query: TaskQuery): Promise<ReadPage> {
  const { filter } = query
  const remembered = rememberedTotal(db, filter)
  const sort = cursorOf(query)?.sort ?? query.sort
  if (sort) return readSorted(db, { ...query, sort }, remembered)
  if (remembered) return readSorted(db, { ...query, sort: newestFirst }, remembered)
  const { rows } = await db.query<TaskValues>(arrays(rankedPage(query)))
  if (rows[0]) return { read: rows, sort: byRank, total: await totalOf(db, filter, countIn(rows[0])) }
  const total = await countTasks(db, filter)
  return readSorted(db, { ...query, sort: total.exact ? byRank : newestFirst }, total)
}

async function readSorted(db: Queryable, query: SortedQuery, known: Total | undefined): Promise<ReadPage> {
  const { filter, sort, start } = query
  const { rows: read } = await db.query<TaskValues>(pageStatement(query, !known))
  if (known) return { read, sort, total: known }
  if (read[0]) return { read, sort, total: await totalOf(db, filter, countIn(read[0])) }
  const isWhole = 'skip' in start ? start.skip === 0 : !start.cursor
  return { read, sort, total: isWhole ? { count: 0, exact: true } : await countTasks(db, filter) }
}

/** Returns the cursors of the previous and the next page. `more`: another page follows in this direction. */
function pagesBeside(
  { filter, sort, start, limit }: SortedQuery,
  rows: Row[],
  more: boolean,
): Pick<TaskPage, 'next' | 'previous'> {
  if ('skip' in start) {
    const { skip } = start
    return {
      next: more ? { skip: skip + limit } : undefined,
      previous: skip > 0 ? { skip: Math.max(0, skip - limit) } : undefined,
    }
  }
  const backwards = start.cursor?.backwards ?? false
  const at = (row: Row | undefined, backwards: boolean) =>
    row && { cursor: writeCursor(filter, { sort, place: placeOf(row, sort), backwards }) }
  return {
    next: more || backwards ? at(rows.at(-1), false) : undefined,
    previous: (backwards ? more : start.cursor) ? at(rows[0], true) : undefined,
  }
}

function cursorOf({ start }: TaskQuery): Cursor | undefined {
  return 'cursor' in start ? start.cursor : undefined
}

function placeOf(row: Row, sort: SortKey[]): CursorValues {
  return sort.map(({ column }) => row[column]!)
}

async function countTasks(db: Queryable, filter: TaskFilter): Promise<Total> {
  const { rows } = await db.query<{ total: number }>(statement(sql`SELECT ${boundedCount(filter)} AS total`))
  return totalOf(db, filter, rows[0]!.total)
}

type Extra = 'deleted_at' | 'rank'

/** The number of matches, which comes last where it is asked for. */
function countIn(values: TaskValues): number {
  return values.at(-1) as number
}

/** Values of a row besides the columns of a task. */
function extrasOf({ trash }: TaskFilter, sort: SortKey[]): Extra[] {
  return [...(trash ? ['deleted_at' as const] : []), ...(sort[0]!.column === 'rank' ? ['rank' as const] : [])]
}

function rowOf(values: TaskValues, extras: Extra[]): Row {
  const row = rowOfValues(values)
  if (extras.length === 0) return row
  const behind = valuesBehind(values)
  return Object.assign(row, Object.fromEntries(extras.map((name, i) => [name, behind[i]])))
}

/** The page by rank and the number of matches; empty where there are too many of them for that order. */
function rankedPage(query: TaskQuery): Sql {
  const total = sql`(SELECT total FROM matches)`
  const isFew = sql`${total} <= ${boundOf(query.filter)}`
  return sql`WITH matches AS MATERIALIZED (SELECT ${boundedCount(query.filter)} AS total)
    ${page({ ...query, sort: byRank }, total, isFew)}`
}

// One row more than the page has, which says whether there is a next one.
function page(query: SortedQuery, total?: Sql, condition: Sql = empty): Sql {
  const { filter, start, limit, sort: order } = query
  const cursor = cursorOf(query)
  const { search } = filter
  const sort = cursor?.backwards ? reversed(order) : order
  const [first] = sort
  const conditions = [
    condition,
    conditionOf(filter),
    cursor ? isAfter(sort, cursor.place, search) : empty,
    filter.created && !filter.trash && first!.column === 'id'
      ? idsOfPeriod(filter.created, first!.descending)
      : empty,
  ]
  const where = join(
    conditions.filter((condition) => condition !== empty),
    ' AND ',
  )
  const expressions = [
    raw(COLUMNS),
    ...extrasOf(filter, order).map((name) => (name === 'rank' ? rankOf(search!) : raw('t.deleted_at'))),
    ...(total ? [total] : []),
  ]
  return sql`SELECT ${join(expressions)}
    FROM tasks t WHERE ${where} ORDER BY ${orderBy(sort, search)}
    LIMIT ${limit + 1} OFFSET ${'skip' in start ? start.skip : 0}`
}

function statement({ text, values }: Sql): Statement {
  return { text, values, read: 'list' }
}

function arrays(text: Sql): Statement {
  return { ...statement(text), rowMode: 'array' }
}

function countedPage(query: SortedQuery, counted: boolean): Sql {
  return page(query, counted ? boundedCount(query.filter) : undefined)
}

const plainText = (counted: boolean) =>
  countedPage(
    {
      filter: { scope: scopeOf(operator), users: [] },
      sort: [{ column: 'id', descending: false }],
      start: { skip: 0 },
      limit: 100,
    },
    counted,
  ).text
const PLAIN_TEXT = plainText(true)
const PLAIN_LONG_TEXT = plainText(false)

// The lists that are asked for most are prepared, and that of everybody's tasks is composed once.
function pageStatement(query: SortedQuery, counted: boolean): Statement {
  const { filter, sort, start, limit } = query
  const { users, ...rest } = filter
  const isFiltered = users.length > 1 || Object.values(rest).some((value) => value !== undefined)
  const isPlain = !isFiltered && 'skip' in start && sort[0]!.column === 'id' && !sort[0]!.descending
  if (!isPlain) return arrays(countedPage(query, counted))
  const name = `task-list${users.length > 0 ? '-own' : ''}${counted ? '' : '-long'}`
  const text = counted ? PLAIN_TEXT : PLAIN_LONG_TEXT
  const plain =
    users.length === 0 ? { text, values: [limit + 1, start.skip] } : statement(countedPage(query, counted))
  return { name, rowMode: 'array', ...plain, read: 'quick' }
}
