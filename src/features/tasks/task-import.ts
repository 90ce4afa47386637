import { audienceOfUser } from '../../events/audience.ts'
import { COLUMNS } from './task-columns.ts'

/**
 * SQL of CTEs that write the tasks of an importer, each with its event, as a part of the importer's own statement. They
 * read two CTEs of the importer, which are all that it decides:
 * - `to_create (index, title, description, status, source, source_key)`
 * - `to_update (task_id, title, description, status)`, of rows that the importer has locked
 * They give two back: `created`, the new rows with their `source_key`, and `updated`, the rows that differed.
 */
export const IMPORTED_TASKS = `
created AS (
  INSERT INTO tasks AS t (title, description, status, source, source_key)
  SELECT title, description, status, source, source_key FROM to_create ORDER BY index
  RETURNING ${COLUMNS}, t.source_key
), updated AS (
  UPDATE tasks t
  SET title = u.title, description = u.description, status = u.status, version = t.version + 1,
    updated_at = clock_timestamp()
  FROM to_update u
  WHERE t.id = u.task_id AND (u.title, u.description, u.status) IS DISTINCT FROM (t.title, t.description, t.status)
  RETURNING ${COLUMNS}
), imported_events AS (
  INSERT INTO events (type, user_id, audience, data)
  SELECT type, user_id, ${audienceOfUser('user_id')}, data FROM (
    SELECT 'task_created' AS type, t.user_id, row_to_json(t) AS data, t.id
    FROM (SELECT ${COLUMNS} FROM created t) t
    UNION ALL
    SELECT 'task_updated', t.user_id, row_to_json(t), t.id FROM updated t
  ) e ORDER BY id
)`
