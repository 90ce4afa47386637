import type { TaskRow } from './task.ts'

const NAMES = [
  'id',
  'title',
  'description',
  'status',
  'priority',
  'due_at',
  'labels',
  'position',
  'city',
  'weather',
  'user_id',
  'source',
  'job',
  'version',
  'created_at',
  'updated_at',
] as const satisfies (keyof TaskRow)[]

/**
 * The columns of a TaskRow, of the table or CTE `t`. What a statement tells in an event are these and
 * not `*`: the table has columns that nobody is shown.
 */
export const COLUMNS = NAMES.map((name) => `t.${name}`).join(', ')

type Values<Names extends readonly (keyof TaskRow)[]> = { -readonly [I in keyof Names]: TaskRow[Names[I]] }

/** What a statement in `rowMode: 'array'` reads of COLUMNS, and behind that what else it selects. */
export type TaskValues = [...Values<typeof NAMES>, ...unknown[]]

/** What else a statement selects, of a row. */
export function valuesBehind(values: TaskValues): unknown[] {
  return values.slice(NAMES.length)
}

/** Written out, since this is run for each row of each list. */
export function rowOfValues(values: TaskValues): TaskRow {
  return {
    id: values[0],
    title: values[1],
    description: values[2],
    status: values[3],
    priority: values[4],
    due_at: values[5],
    labels: values[6],
    position: values[7],
    city: values[8],
    weather: values[9],
    user_id: values[10],
    source: values[11],
    job: values[12],
    version: values[13],
    created_at: values[14],
    updated_at: values[15],
  }
}
