import sql, { join, raw, type Sql } from 'sql-template-tag'
import { isInstant } from '../../core/moment.ts'
import { searchQuery } from './task-search.ts'
import { priorities, statuses } from './task-status.ts'

interface Column {
  nullable?: true
  /** Whether a value can be one of the column; else PostgreSQL could not compare it. */
  is: (value: unknown) => boolean
}

const isText = (value: unknown) =>
  typeof value === 'string' && value.length <= 2000 && value.isWellFormed() && !value.includes('\0')
const isTime = (value: unknown) => typeof value === 'string' && isInstant(value)

const columns = {
  id: { is: (value) => Number.isInteger(value) && Math.abs(value as number) < 2 ** 31 },
  created_at: { is: isTime },
  title: { is: isText },
  status: { is: (value) => statuses.some((status) => status === value) },
  updated_at: { is: isTime, nullable: true },
  priority: { is: (value) => priorities.some((priority) => priority === value) },
  due_at: { is: isTime, nullable: true },
  position: { is: isText },
  /** Set for tasks in the trash only, so clients cannot sort by it. */
  deleted_at: { is: isTime },
  /** How well a task matches what is searched for; not for clients to name. */
  rank: { is: Number.isFinite },
} satisfies Record<string, Column>

type SortColumn = keyof typeof columns
const sortable = Object.keys(columns).filter((name) => !['deleted_at', 'rank'].includes(name)) as SortColumn[]

export interface SortKey {
  column: SortColumn
  descending: boolean
}

/** The best match first, of equal ones the newest. */
export const byRank: SortKey[] = [
  { column: 'rank', descending: true },
  { column: 'id', descending: true },
]
export const lastDeletedFirst: SortKey[] = [
  { column: 'deleted_at', descending: true },
  { column: 'id', descending: true },
]
export const newestFirst: SortKey[] = [{ column: 'id', descending: true }]

/**
 * Reads `-created_at,title` and the like; throws an Error that names the first unknown column. `id` is
 * appended where it is missing, in the direction of the last column, so that the order is total: pages
 * do not overlap, and an index of the column and the id gives it.
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
  if (byId !== -1) return unique.slice(0, byId + 1)
  return [...unique, { column: 'id', descending: unique.at(-1)!.descending }]
}

/** The same order from its end. */
export function reversed(keys: SortKey[]): SortKey[] {
  return keys.map(({ column, descending }) => ({ column, descending: !descending }))
}

/** How well the table `t` matches what is searched for. */
export function rankOf(search: string): Sql {
  return sql`ts_rank(t.search, ${searchQuery(search)})`
}

// Columns come from the fixed list above, so they may stand in the text.
function expression(column: SortColumn, search: string | undefined): Sql {
  return column === 'rank' ? rankOf(search!) : raw(`t.${column}`)
}

export function orderBy(keys: SortKey[], search: string | undefined): Sql {
  return join(
    keys.map(
      ({ column, descending }) => sql`${expression(column, search)} ${raw(descending ? 'DESC' : 'ASC')}`,
    ),
  )
}

/** A cursor: the values, in the order of the sort, of the row after which a page starts. */
export type CursorValues = (string | number | null)[]

export function isCursorValues(keys: SortKey[], place: unknown): place is CursorValues {
  if (!Array.isArray(place) || place.length !== keys.length) return false
  return keys.every(({ column }, i) => {
    const { is, nullable }: Column = columns[column]
    return (nullable === true && place[i] === null) || is(place[i])
  })
}

/** The condition of the rows that come behind a place in an order. */
export function isAfter(keys: SortKey[], place: CursorValues, search: string | undefined): Sql {
  const parts = keys.map(({ column, descending }, i) => ({
    term: expression(column, search),
    value: column === 'rank' ? sql`${place[i]}::real` : sql`${place[i]}`,
    isNull: place[i] === null,
    nullable: 'nullable' in columns[column],
    descending,
  }))
  const [first] = parts
  // One row comparison lets PostgreSQL enter an index at the cursor.
  if (parts.every(({ nullable, descending }) => !nullable && descending === first!.descending)) {
    const row = (of: 'term' | 'value') => join(parts.map((part) => part[of]))
    return sql`(${row('term')}) ${raw(first!.descending ? '<' : '>')} (${row('value')})`
  }
  // Nulls sort last in ascending order and first in descending order.
  const after = parts.map(({ term, value, isNull, nullable, descending }) => {
    if (isNull) return descending ? sql`${term} IS NOT NULL` : sql`false`
    if (descending) return sql`${term} < ${value}`
    return nullable ? sql`(${term} > ${value} OR ${term} IS NULL)` : sql`${term} > ${value}`
  })
  const equal = parts.map(({ term, value, isNull }) =>
    isNull ? sql`${term} IS NULL` : sql`${term} = ${value}`,
  )
  return after.reduceRight((rest, condition, i) => sql`(${condition} OR ${equal[i]!} AND ${rest})`)
}
