import sql, { raw } from 'sql-template-tag'
import type { Queryable } from '../../platform/database/database.ts'
import { COLUMNS, rowOfValues, type TaskRow, type TaskValues } from './task-columns.ts'
import { conditionOf, type TaskFilter } from './task-filter.ts'

/** Some megabytes, if all have the longest descriptions. */
const PORTION = 200

/** Yields all matching tasks by id, in batches. A task that exists during the whole scan is yielded once. */
export async function* iterateTasks(db: Queryable, filter: TaskFilter): AsyncGenerator<TaskRow[]> {
  const condition = conditionOf(filter)
  let after = 0
  for (;;) {
    const { text, values } = sql`SELECT ${raw(COLUMNS)} FROM tasks t
      WHERE ${condition} AND t.id > ${after} ORDER BY t.id LIMIT ${PORTION}`
    const { rows } = await db.query<TaskValues>({ text, values, rowMode: 'array' })
    const tasks = rows.map(rowOfValues)
    if (tasks.length > 0) yield tasks
    if (tasks.length < PORTION) return
    after = tasks.at(-1)!.id
  }
}
