import { type Cell, csvRecord } from '../../platform/http/csv.ts'
import type { Task } from './task.ts'
import { type CreateTask, CreateTaskSchema } from './task-schemas.ts'

/** Files of tasks: a line of JSON for each, as the API shows it, or a table for spreadsheets. */
export const fileFormats = ['jsonl', 'csv'] as const
export type FileFormat = (typeof fileFormats)[number]

const columns = [
  'id',
  'title',
  'description',
  'status',
  'priority',
  'due_at',
  'labels',
  'position',
  'city',
  'user_id',
  'source',
  'version',
  'created_at',
  'updated_at',
] as const satisfies (keyof Task)[]

// Without the mark, spreadsheets take UTF-8 for an encoding of their country.
const BYTE_ORDER_MARK = '\ufeff'

/** The first line of a file, and the function that writes a task. */
export const taskWriters: Record<FileFormat, { head: string; write: (task: Task) => string }> = {
  jsonl: { head: '', write: (task) => `${JSON.stringify(task)}\n` },
  csv: {
    head: BYTE_ORDER_MARK + csvRecord(columns),
    write: (task) => csvRecord(columns.map((column) => cellOf(task[column]))),
  },
}

function cellOf(value: unknown): Cell {
  if (value === null) return null
  return typeof value === 'string' ? value : JSON.stringify(value)
}

const { job: _job, ...importable } = CreateTaskSchema.properties

/** The fields of an imported task: all except user, times and job. */
export type ImportedTask = Omit<CreateTask, 'job'>
export const ImportedTaskSchema = { ...CreateTaskSchema, properties: importable }

/** Exported fields that an import ignores. */
const ignored = new Set<string>([
  ...['id', 'position', 'weather', 'user_id', 'source', 'job', 'version'],
  ...(['created_at', 'updated_at', 'deleted_at'] as const),
])

/** Whether an import takes the field, or knows that it leaves it out; undefined: there is no such field. */
export function isImported(field: string): boolean | undefined {
  if (Object.hasOwn(importable, field)) return true
  return ignored.has(field) ? false : undefined
}

/** Returns the value of a field in a cell, for the schema to check; undefined: the cell is empty. */
export function fieldOf(field: string, cell: Cell): unknown {
  if (cell === null) return undefined
  if (field === 'completed' && /^(true|false)$/i.test(cell)) return cell.toLowerCase() === 'true'
  return field === 'labels' ? labelsOf(cell) : cell
}

/** A list in JSON, as it is exported, or by hand: separated by commas. */
function labelsOf(cell: string): unknown {
  if (!cell.startsWith('[')) return cell.split(',').filter((label) => label.trim() !== '')
  try {
    return JSON.parse(cell)
  } catch {
    return cell
  }
}
