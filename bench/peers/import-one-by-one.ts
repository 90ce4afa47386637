import type { SourceTodo } from '../../src/features/imports/todos/todo-source.ts'
import type { Transaction } from '../../src/platform/database/database.ts'

/** The peer of the import: the same rows in the same tables, each by an INSERT of its own, prepared once. */
export async function saveOneByOne(transaction: Transaction, todos: SourceTodo[]): Promise<void> {
  for (const { key, title, description, completed } of todos) {
    const { rows } = await transaction.query<{ id: number; data: object }>({
      name: 'one-task',
      text: `INSERT INTO tasks AS t (title, description, status, source, source_key)
        VALUES ($1, $2, $3, 'jsonplaceholder', $4) RETURNING t.id, row_to_json(t) AS data`,
      values: [title, description, completed ? 'done' : 'todo', key],
    })
    const { id, data } = rows[0]!
    await transaction.query({
      name: 'one-known',
      text: 'INSERT INTO imported_todos (key, task_id, title, description, completed) VALUES ($1, $2, $3, $4, $5)',
      values: [key, id, title, description, completed],
    })
    await transaction.query({
      name: 'one-event',
      text: "INSERT INTO events (type, data) VALUES ('task_created', $1)",
      values: [data],
    })
  }
}
