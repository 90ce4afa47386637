import type { ListTasks } from '../../src/features/tasks/list-schema.ts'
import type { TaskRow } from '../../src/features/tasks/task-columns.ts'
import { priorities } from '../../src/features/tasks/task-status.ts'

/** A task, with where its texts stand in PostgreSQL's order of them. */
export type ModelRow = TaskRow & { title_order: number; status_order: number }

const fold = (word: string) => word.toLowerCase().replaceAll('ё', 'е')
const wordsOf = (text: string) => (text.match(/[\p{L}\p{N}]+/gu) ?? []).map(fold)

/** The stems of the words that tests use; of any other word it is the word. */
const stems: Record<string, string> = {
  ...{ reports: 'report', reporting: 'report' },
  ...{ отчета: 'отчет', отчеты: 'отчет', отчетами: 'отчет', складе: 'склад' },
}
const stem = (word: string) => stems[word] ?? word

function found(row: TaskRow, text: string): boolean {
  const known = wordsOf(`${row.title} ${row.description ?? ''}`).flatMap((word) => [word, stem(word)])
  const words = wordsOf(text).map(stem)
  const last = words.pop()
  if (last === undefined) return false
  const isBeginning = !/^\p{N}{1,2}$/u.test(last)
  return (
    words.every((word) => known.includes(word)) &&
    known.some((word) => word === last || (isBeginning && word.startsWith(last)))
  )
}

// Times are instants to the microsecond, written in UTC; those of the tests end in whole milliseconds.
function between(time: string | null, from: string | undefined, to: string | undefined): boolean {
  if (from === undefined && to === undefined) return true
  if (time === null) return false
  const end = to?.length === 10 ? `${to}T23:59:59.999Z` : to
  return (
    (from === undefined || Date.parse(time) >= Date.parse(from)) &&
    (end === undefined || Date.parse(time) <= Date.parse(end))
  )
}

/** Whether a query asks for a task, read plainly. */
export function matchesList(row: TaskRow, query: ListTasks, users: Record<string, number>): boolean {
  const same = (a: string | null, b: string) => a?.toLowerCase() === b.toLowerCase()
  const overdue = row.due_at !== null && Date.parse(row.due_at) < Date.now() && row.status !== 'done'
  const isUser = (user: string) =>
    row.user_id === (/^\d+$/.test(user) ? Number(user) : (users[user.toLowerCase()] ?? -1))
  return (
    (query.status?.includes(row.status) ?? true) &&
    (query.completed === undefined || (row.status === 'done') === query.completed) &&
    (query.priority?.includes(row.priority) ?? true) &&
    (query.user_id === undefined || row.user_id === query.user_id) &&
    (query.user === undefined || isUser(query.user)) &&
    (query.city === undefined || same(row.city, query.city)) &&
    (query.source === undefined || row.source === query.source) &&
    (query.label ?? []).every((label) => row.labels.includes(label)) &&
    between(row.created_at, query.created_from, query.created_to) &&
    between(row.due_at, query.due_from, query.due_to) &&
    (query.overdue === undefined || overdue === query.overdue) &&
    (query.q === undefined || found(row, query.q)) &&
    (query.has_job === undefined || (row.job !== null) === query.has_job) &&
    (query.job_state?.includes(row.job?.state as 'queued') ?? true)
  )
}

/** The rows in the order that `sort` says: what is null after all else, ties by id, in the direction of the last. */
export function sortedAs(rows: ModelRow[], sort: string): ModelRow[] {
  const value = (row: ModelRow, column: string) => {
    if (column === 'title') return row.title_order
    if (column === 'status') return row.status_order
    if (column === 'priority') return priorities.indexOf(row.priority)
    return row[column as 'id' | 'created_at' | 'updated_at' | 'due_at' | 'position']
  }
  const named = sort.split(',').map((key) => key.trim())
  // Of a column that is named twice the first time counts.
  const keys = named.filter(
    (key, i) => named.findIndex((one) => one.replace('-', '') === key.replace('-', '')) === i,
  )
  const byId = keys.at(-1)!.startsWith('-') ? '-id' : 'id'
  const order = (key: string, one: ModelRow, other: ModelRow) => {
    const [a, b] = [value(one, key.replace('-', '')), value(other, key.replace('-', ''))]
    const ascending = a === b ? 0 : a === null ? 1 : b === null ? -1 : a < b ? -1 : 1
    return key.startsWith('-') ? -ascending : ascending
  }
  return rows.toSorted(
    (one, other) => [...keys, byId].map((key) => order(key, one, other)).find((result) => result !== 0) ?? 0,
  )
}
