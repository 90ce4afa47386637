import { isoTimestamp } from '../../core/timestamp.ts'
import type { Weather } from '../weather/index.ts'
import { firstPosition } from './position-key.ts'
import type { StoredJob } from './task-job.ts'
import type { Priority, Status } from './task-status.ts'

/** The properties of a column that statements and readers of tasks use. */
interface Column<Value> {
  value: Value
  /** SQL type of the value in an insert or a change. */
  type?: string
  /** A new task may set it. */
  insert?: true
  /** A change may set it. One that is `required` cannot be cleared. `status` has its own rule; see `updateTask`. */
  change?: 'required' | 'nullable' | 'status'
  /** It is a time: ISO 8601 text in UTC with microseconds. */
  isTime?: true
  /** Its value in events that were written before the column existed. */
  absent?: Value
}

/** Stands for a value of the type; only the type is used. */
const a = <Value>() => undefined as Value

/**
 * The columns of a task that clients and events show, in their order there. A new field of tasks is a line here, in
 * the schemas and in the presenter, and a migration; the statements and readers of tasks follow from this list.
 */
const columns = {
  id: { value: a<number>() },
  title: { value: a<string>(), type: 'text', insert: true, change: 'required' },
  description: { value: a<string | null>(), type: 'text', insert: true, change: 'nullable' },
  status: { value: a<Status>(), type: 'text', insert: true, change: 'status' },
  priority: {
    value: a<Priority>(),
    type: 'task_priority',
    insert: true,
    change: 'required',
    absent: 'none',
  },
  due_at: {
    value: a<string | null>(),
    type: 'timestamptz',
    insert: true,
    change: 'nullable',
    isTime: true,
    absent: null,
  },
  labels: { value: a<string[]>(), type: 'text[]', insert: true, change: 'required', absent: [] },
  /** The manual order; a key of `position-key.ts`. */
  position: { value: a<string>(), type: 'text', change: 'required' },
  city: { value: a<string | null>(), type: 'text', insert: true, change: 'nullable' },
  /** It belongs to the city: a change of the city replaces it. */
  weather: { value: a<Weather | null>(), type: 'jsonb', insert: true },
  user_id: { value: a<number | null>(), type: 'integer', insert: true },
  source: { value: a<string | null>() },
  /** null: no worker runs anything for the task. */
  job: { value: a<StoredJob | null>(), absent: null },
  version: { value: a<number>() },
  created_at: { value: a<string>(), isTime: true },
  updated_at: { value: a<string | null>(), isTime: true },
} as const satisfies Record<string, Column<unknown>>

type Columns = typeof columns
type Name = keyof Columns
type NamesWith<Trait> = { [N in Name]: Columns[N] extends Trait ? N : never }[Name]

/** A row of `tasks`. */
export type TaskRow = { -readonly [N in Name]: Columns[N]['value'] }

/** The fields of a task to insert. */
export type NewTaskFields = Omit<Pick<TaskRow, NamesWith<{ insert: true }>>, 'weather'> & {
  /** The weather of the city, if it is already known. */
  weather?: Weather | null
}

/** The fields to change: `undefined` leaves a field, `null` clears it. */
export type ChangedFields = { [N in NamesWith<{ change: string }>]?: TaskRow[N] | undefined }

const NAMES = Object.keys(columns) as Name[]
const traits: Record<Name, Column<unknown>> = columns
const namesWith = <Names extends Name>(test: (column: Column<unknown>) => unknown) =>
  NAMES.filter((name) => test(traits[name])) as Names[]

/**
 * The columns of a TaskRow, of the table or CTE `t`. Events hold these and not `*`, because the table has columns
 * that clients do not see.
 */
export const COLUMNS = NAMES.map((name) => `t.${name}`).join(', ')

/** The columns that a new task may set, and their declaration in a record set. */
export const INSERTED = namesWith<NamesWith<{ insert: true }>>(({ insert }) => insert)
export const INSERTED_TYPES = INSERTED.map((name) => `${name} ${traits[name].type}`).join(', ')

/** The columns that a change may set. */
export const CHANGEABLE = namesWith<NamesWith<{ change: string }>>(({ change }) => change)

/** The SQL types and rules of the columns that a change may set. */
export const changeRules = CHANGEABLE.map((name) => {
  const { type, change } = traits[name]
  return { name, type: type!, change: change! }
})

/** The values of COLUMNS in `rowMode: 'array'`, and after them whatever else the statement selects. */
export type TaskValues = unknown[]

/** Returns the values of what a statement selects after COLUMNS. */
export function valuesBehind(values: TaskValues): unknown[] {
  return values.slice(NAMES.length)
}

/**
 * Reads the values of COLUMNS. It runs for each row of each list, and so is generated as one object literal: that
 * took 21 to 39 ns a row, a loop over the names 260 to 310 ns (Node 26).
 */
export const rowOfValues = new Function(
  'values',
  `return { ${NAMES.map((name, i) => `${name}: values[${i}]`).join(', ')} }`,
) as (values: TaskValues) => TaskRow

const ABSENT = Object.fromEntries(
  NAMES.filter((name) => 'absent' in traits[name]).map((name) => [name, traits[name].absent]),
)
const TIMES = namesWith<'due_at' | 'created_at' | 'updated_at'>(({ isTime }) => isTime)

/** Returns the row in an event's `data`, which PostgreSQL's `row_to_json` wrote, maybe for an earlier version. */
export function rowFromSnapshot(snapshot: TaskRow): TaskRow {
  const row: TaskRow = { ...ABSENT, ...snapshot }
  row.position ??= firstPosition(row.id)
  for (const name of TIMES) if (row[name] !== null) row[name] = isoTimestamp(row[name])
  return row
}
