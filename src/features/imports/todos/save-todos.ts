import type { Transaction } from '../../../platform/database/database.ts'
import { IMPORTED_TASKS } from '../../tasks/index.ts'
import type { ImportCounts } from '../importer.ts'
import type { SourceTodo } from './todo-source.ts'

/** `tasks.source` of the tasks that this importer creates. */
const SOURCE = 'jsonplaceholder'

/**
 * Updates the tasks to the todos of the source, with events, in one statement for any number of todos. It is a
 * three-way merge of the last imported todo, the new todo and the task. A field that a user edited keeps the user's
 * value, a task that a user deleted is not created again, and an unchanged todo writes no row.
 */
export async function saveTodos(transaction: Transaction, todos: SourceTodo[]): Promise<ImportCounts> {
  const { rows } = await transaction.query<{ created: number; updated: number }>({
    text: SAVE,
    values: [
      SOURCE,
      todos.map(({ key }) => key),
      todos.map(({ title }) => title),
      todos.map(({ description }) => description),
      todos.map(({ completed }) => completed),
    ],
  })
  const { created, updated } = rows[0]!
  return { created, updated, skipped: todos.length - created - updated }
}

const SAVE = `
WITH incoming AS (
  SELECT * FROM unnest($2::text[], $3::text[], $4::text[], $5::boolean[])
    WITH ORDINALITY AS i (key, title, description, completed, index)
), differing AS (
  -- FOR UPDATE reads the latest version of the task, and waits for a concurrent write.
  SELECT i.key, i.title, i.description, i.completed, k.task_id,
    t.title AS own_title, t.description AS own_description, t.status AS own_status,
    ARRAY(
      SELECT unnest(k.local_fields)
      UNION SELECT 'title' WHERE t.title <> k.title
      UNION SELECT 'description' WHERE t.description IS DISTINCT FROM k.description
      UNION SELECT 'status' WHERE t.status <> CASE WHEN k.completed THEN 'done' ELSE 'todo' END
    ) AS local_fields
  FROM incoming i JOIN imported_todos k USING (key) JOIN tasks t ON t.id = k.task_id
  WHERE t.deleted_at IS NULL
    AND (i.title, i.description, i.completed) IS DISTINCT FROM (k.title, k.description, k.completed)
  FOR UPDATE OF t
), to_update AS (
  SELECT task_id,
    CASE WHEN 'title' = ANY (local_fields) THEN own_title ELSE title END AS title,
    CASE WHEN 'description' = ANY (local_fields) THEN own_description ELSE description END AS description,
    CASE WHEN 'status' = ANY (local_fields) THEN own_status WHEN completed THEN 'done' ELSE 'todo' END AS status
  FROM differing
), to_create AS (
  SELECT i.index, i.title, i.description, CASE WHEN i.completed THEN 'done' ELSE 'todo' END AS status, $1 AS source,
    i.key AS source_key
  FROM incoming i WHERE NOT EXISTS (SELECT FROM imported_todos k WHERE k.key = i.key)
), ${IMPORTED_TASKS}, remembered AS (
  UPDATE imported_todos k
  SET title = d.title, description = d.description, completed = d.completed, local_fields = d.local_fields
  FROM differing d WHERE k.key = d.key
), known AS (
  INSERT INTO imported_todos (key, task_id, title, description, completed)
  SELECT i.key, c.id, i.title, i.description, i.completed FROM created c JOIN incoming i ON i.key = c.source_key
)
SELECT (SELECT count(*) FROM created) AS created, (SELECT count(*) FROM updated) AS updated`
