import type { AccessScope } from '../../../core/access-scope.ts'
import { scopeCondition } from '../../../platform/access/index.ts'
import type { Queryable } from '../../../platform/database/database.ts'

/** A row of `task_runs`, as it is shown; times are ISO 8601, UTC, microseconds. */
export interface TaskRun {
  /** Counts all runs of the task. */
  number: number
  attempt: number
  state: 'running' | 'succeeded' | 'failed' | 'cancelled' | 'released' | 'lost'
  worker: string
  started_at: string
  finished_at: string | null
  error: string | null
}

/** The newest runs of a task first. */
export async function listTaskRuns(db: Queryable, taskId: number, limit: number): Promise<TaskRun[]> {
  const { rows } = await db.query<TaskRun & object>({
    text: `SELECT number, attempt, state, worker, started_at, finished_at, error
      FROM task_runs WHERE task_id = $1 ORDER BY number DESC LIMIT $2`,
    values: [taskId, limit],
  })
  return rows
}

/** Returns the indexes of the runs in the list that are no longer the current run of their task. */
export async function endedElsewhere(
  db: Queryable,
  runs: readonly { taskId: number; number: number }[],
): Promise<number[]> {
  const { rows } = await db.query<{ place: number }>({
    name: 'job-ended-elsewhere',
    text: `
      SELECT g.place::integer - 1 AS place
      FROM unnest($1::integer[], $2::integer[]) WITH ORDINALITY AS g (task_id, number, place)
      WHERE NOT EXISTS (
        SELECT FROM task_runs r WHERE r.task_id = g.task_id AND r.number = g.number AND r.state = 'running')`,
    values: [runs.map(({ taskId }) => taskId), runs.map(({ number }) => number)],
  })
  return rows.map(({ place }) => place)
}

/** Counts of waiting, running and finished jobs; rates cover the last minute. */
export interface QueueStatistics {
  depth: number
  running: number
  failed: number
  /** Since when the job waits that is due longest; ISO 8601, UTC, microseconds. */
  oldest: string | null
  per_minute: { succeeded: number; failed: number }
}

/** Returns the figures of the tasks within the scope. */
export async function queueStatistics(db: Queryable, scope: AccessScope): Promise<QueueStatistics> {
  const { rows } = await db.query<QueueStatistics & object>({
    text: `
      SELECT jobs.*, json_build_object('succeeded', succeeded, 'failed', runs.failed) AS per_minute
      FROM (
        SELECT count(*) FILTER (WHERE job ->> 'state' = 'queued') AS depth,
          count(*) FILTER (WHERE job ->> 'state' = 'running') AS running,
          count(*) FILTER (WHERE job ->> 'state' = 'failed') AS failed,
          min(job ->> 'due_at') FILTER (WHERE job ->> 'state' = 'queued' AND (job ->> 'due_at')::timestamptz <= now()) AS oldest
        FROM tasks WHERE job IS NOT NULL AND job ->> 'state' IN ('queued', 'running', 'failed')
          AND deleted_at IS NULL AND ${scopeCondition('$1', 'user_id')}
      ) jobs, (
        SELECT count(*) FILTER (WHERE r.state = 'succeeded') AS succeeded,
          count(*) FILTER (WHERE r.state IN ('failed', 'lost')) AS failed
        FROM task_runs r JOIN tasks t ON t.id = r.task_id
        WHERE r.finished_at > now() - interval '1 minute' AND ${scopeCondition('$1', 't.user_id')}
      ) runs`,
    values: [scope.parameter],
  })
  return rows[0]!
}
