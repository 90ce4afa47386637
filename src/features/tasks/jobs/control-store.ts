import type { AccessScope } from '../../../core/access-scope.ts'
import { audienceOfUser } from '../../../events/audience.ts'
import { scopeCondition } from '../../../platform/access/index.ts'
import type { Queryable } from '../../../platform/database/database.ts'
import { rowFromSnapshot, TASK_COLUMNS, type TaskRow } from '../index.ts'
import { dueIn } from '../task-job.ts'

/** A row as it stands after the statement, and whether the statement changed it. */
export type Controlled = TaskRow & { changed: boolean }

const CANCEL = control({
  set: `status = 'failed', job = before.job || '{"state": "failed", "error": "cancelled"}'`,
  where: `before.job ->> 'state' IN ('queued', 'running')`,
  also: `run AS (
      UPDATE task_runs SET state = 'cancelled', finished_at = clock_timestamp(), error = 'cancelled'
      FROM t WHERE task_id = t.id AND number = (t.job ->> 'runs')::integer AND state = 'running'
    ),`,
})

const REQUEUE = control({
  set: `status = 'todo',
    job = before.job || jsonb_build_object('state', 'queued', 'ticket', $3::text, 'due_at', ${dueIn("interval '0'")})
      || CASE WHEN before.job ->> 'state' = 'failed' THEN '{"attempts": 0}'::jsonb ELSE '{}' END`,
  // A job that is already due keeps its position in the queue.
  where: `before.job ->> 'state' = 'failed'
    OR before.job ->> 'state' = 'queued' AND (before.job ->> 'due_at')::timestamptz > now()`,
})

/** Ends a pending job as failed, and its run with it; only of a task within the scope. */
export function cancelJob(db: Queryable, id: number, scope: AccessScope): Promise<Controlled | undefined> {
  return controlled(db, 'job-cancel', CANCEL, [id, scope.parameter])
}

/**
 * Queues a job under a new ticket, which the caller books: one that failed, all its attempts before it
 * again, or one that waits for its next attempt, to have it at once.
 */
export function requeueJob(
  db: Queryable,
  id: number,
  scope: AccessScope,
  ticket: string,
): Promise<Controlled | undefined> {
  return controlled(db, 'job-requeue', REQUEUE, [id, scope.parameter, ticket])
}

/** The change of one task by its id ($1), if it is within the scope ($2), with its event. */
function control({ set, where, also = '' }: { set: string; where: string; also?: string }): string {
  return `
    WITH before AS (
      SELECT ${TASK_COLUMNS} FROM tasks t WHERE id = $1 AND deleted_at IS NULL FOR UPDATE
    ), t AS (
      UPDATE tasks t SET ${set}, version = t.version + 1, updated_at = clock_timestamp()
      FROM before WHERE t.id = before.id AND ${scopeCondition('$2', 'before.user_id')} AND (${where})
      RETURNING ${TASK_COLUMNS}
    ), ${also} told AS (
      INSERT INTO events (type, user_id, audience, data) SELECT 'task_updated', t.user_id, ${audienceOfUser('t.user_id')}, row_to_json(t) FROM t RETURNING data
    )
    SELECT data, true AS changed FROM told
    UNION ALL
    SELECT row_to_json(b), false FROM before b WHERE NOT EXISTS (SELECT FROM t)`
}

async function controlled(
  db: Queryable,
  name: string,
  text: string,
  values: unknown[],
): Promise<Controlled | undefined> {
  const { rows } = await db.query<{ data: TaskRow; changed: boolean }>({ name, text, values })
  const row = rows[0]
  return row && { ...rowFromSnapshot(row.data), changed: row.changed }
}
