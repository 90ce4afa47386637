import type { Transaction } from '../../database/database.ts'
import { rowFromSnapshot, type TaskRow } from './task.ts'
import { COLUMNS } from './task-columns.ts'
import type { NewTask } from './task-store.ts'

/** Inserts tasks in their order, each with its event. */
export async function insertTasks(transaction: Transaction, tasks: readonly NewTask[]): Promise<TaskRow[]> {
  const { rows } = await transaction.query<{ data: TaskRow }>({
    name: 'task-insert-all',
    text: `
      WITH given AS (
        SELECT * FROM json_to_recordset($1::json)
          AS g (place integer, title text, description text, status text, priority task_priority,
            "dueAt" timestamptz, labels text[], city text, "userId" integer)
      ), t AS (
        INSERT INTO tasks AS t (title, description, status, priority, due_at, labels, city, user_id)
        SELECT title, description, status, priority, "dueAt", labels, city, "userId" FROM given ORDER BY place
        RETURNING ${COLUMNS}
      )
      INSERT INTO events (type, user_id, data)
      SELECT 'task_created', t.user_id, row_to_json(t) FROM t ORDER BY t.id
      RETURNING data`,
    values: [JSON.stringify(tasks.map((task, place) => ({ place, ...task })))],
  })
  return rows.map(({ data }) => rowFromSnapshot(data))
}

/**
 * Locks these tasks, in the order of their ids whatever that of the batch, so that two batches on the same tasks
 * wait for each other and do not deadlock. `owner` as in a Guard.
 */
export async function lockTasks(
  transaction: Transaction,
  ids: readonly number[],
  owner: number | undefined,
): Promise<void> {
  await transaction.query({
    name: 'task-lock-all',
    text: `SELECT FROM tasks WHERE id = ANY ($1) AND deleted_at IS NULL AND ($2::integer IS NULL OR user_id = $2)
      ORDER BY id FOR UPDATE`,
    values: [ids, owner ?? null],
  })
}
