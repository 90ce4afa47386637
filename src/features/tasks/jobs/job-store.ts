import { audienceOfUser } from '../../../events/audience.ts'
import type { Transaction } from '../../../platform/database/database.ts'
import { TASK_COLUMNS } from '../index.ts'
import { dueIn } from '../task-job.ts'

// The statements below compare states by `->`, which no index has: by that of states, to which `->>` would lead,
// they would go through the dead entries of every job that has passed. Tasks are looked up one by one, in the order of
// their ids, and what is joined is said to be of these ids: while there are no statistics, PostgreSQL takes it that few
// tasks are not in the trash and that JSON has a hundred rows, and would read all that there is to join it.

/** A run that has begun. */
export interface StartedRun {
  ticket: string
  taskId: number
  /** The number among all runs of the task; used as the fencing token. */
  number: number
  attempt: number
  maxAttempts: number
  type: string
  /** The input as the client sent it, secrets included. */
  input: object
}

/**
 * Begins a run for each ticket that its task still names. Where the task is running already, that run
 * was lost; if it was the last attempt, the job has failed with it and no run begins.
 */
export async function startRuns(
  transaction: Transaction,
  tickets: readonly { id: string; taskId: number }[],
  worker: string,
): Promise<{ started: StartedRun[]; givenUp: number }> {
  if (tickets.length === 0) return { started: [], givenUp: 0 }
  const { rows } = await transaction.query<StartedRun & { state: string }>({
    name: 'job-start',
    text: `
      WITH before AS (
        SELECT t.id, t.job, t.job ->> 'state' = 'running' AS lost, (t.job ->> 'runs')::integer AS runs,
          (t.job ->> 'attempts')::integer AS attempts, (t.job ->> 'max_attempts')::integer AS max_attempts
        FROM (SELECT * FROM unnest($1::text[], $2::integer[]) AS g (ticket, task_id) ORDER BY task_id) g, LATERAL (
          SELECT id, job FROM tasks
          WHERE id = g.task_id AND deleted_at IS NULL AND job ->> 'ticket' = g.ticket AND job -> 'state' IN ('"queued"', '"running"')
          FOR UPDATE
        ) t
      ), lost AS (
        UPDATE task_runs r SET state = 'lost', finished_at = clock_timestamp(), error = 'its worker gave no more sign of life'
        FROM before b WHERE b.lost AND r.task_id = b.id AND r.number = b.runs AND r.state = 'running'
      ), t AS (
        UPDATE tasks t SET version = t.version + 1, updated_at = clock_timestamp(),
          status = CASE WHEN b.attempts < b.max_attempts THEN 'in_progress' ELSE 'failed' END,
          job = b.job || CASE WHEN b.attempts < b.max_attempts
            THEN jsonb_build_object('state', 'running', 'attempts', b.attempts + 1, 'runs', b.runs + 1)
            ELSE '{"state": "failed", "error": "its worker gave no more sign of life"}' END
        FROM before b WHERE t.id = b.id
        RETURNING ${TASK_COLUMNS}
      ), run AS (
        INSERT INTO task_runs (task_id, number, attempt, worker)
        SELECT id, (job ->> 'runs')::integer, (job ->> 'attempts')::integer, $3 FROM t WHERE job ->> 'state' = 'running'
      ), told AS (
        INSERT INTO events (type, user_id, audience, data) SELECT 'task_updated', t.user_id, ${audienceOfUser('t.user_id')}, row_to_json(t) FROM t ORDER BY t.id
      )
      SELECT t.job ->> 'ticket' AS ticket, t.id AS "taskId", (t.job ->> 'runs')::integer AS number,
        (t.job ->> 'attempts')::integer AS attempt, (t.job ->> 'max_attempts')::integer AS "maxAttempts",
        t.job ->> 'type' AS type, t.job ->> 'state' AS state, coalesce(s.input, t.job -> 'input') AS input
      FROM t LEFT JOIN job_secrets s ON s.task_id = t.id`,
    values: [tickets.map(({ id }) => id), tickets.map(({ taskId }) => taskId), worker],
  })
  const started = rows.filter(({ state }) => state === 'running')
  return { started, givenUp: rows.length - started.length }
}

/** How a run ended. */
export interface EndedRun {
  taskId: number
  number: number
  /** `released`: given back unfinished, which is no attempt. */
  state: 'succeeded' | 'failed' | 'released'
  /** JSON text, of one that succeeded. */
  result?: string
  error?: string
  /** The ticket by which the job is tried again, and in how many milliseconds; absent: it has ended too. */
  again?: { ticket: string; delayMs: number }
}

/**
 * Writes how runs ended, each with its event. Those that are no longer their task's run, because they
 * were cancelled or taken for lost, change nothing; returns the others.
 */
export async function endRuns(transaction: Transaction, runs: readonly EndedRun[]): Promise<EndedRun[]> {
  if (runs.length === 0) return []
  const given = runs.map(({ result, again, ...run }) => ({
    ...run,
    result: result === undefined ? null : JSON.parse(result),
    ...again,
  }))
  const { rows } = await transaction.query<{ id: number; number: number }>({
    name: 'job-end',
    text: `
      WITH given AS (
        SELECT * FROM jsonb_to_recordset($1::jsonb) AS g ("taskId" integer, number integer, state text,
          result jsonb, error text, ticket text, "delayMs" double precision)
      ), before AS (
        SELECT t.id, t.job, g.* FROM (SELECT * FROM given ORDER BY "taskId") g, LATERAL (
          SELECT id, job FROM tasks
          WHERE id = g."taskId" AND deleted_at IS NULL AND job -> 'state' = '"running"' AND (job ->> 'runs')::integer = g.number
          FOR UPDATE
        ) t
      ), run AS (
        UPDATE task_runs r SET state = b.state, finished_at = clock_timestamp(), error = b.error
        FROM before b WHERE r.task_id = b.id AND r.number = b.number AND r.task_id = ANY (ARRAY(SELECT id FROM before))
      ), t AS (
        UPDATE tasks t SET version = t.version + 1, updated_at = clock_timestamp(),
          status = CASE WHEN b.ticket IS NOT NULL THEN 'todo' WHEN b.state = 'succeeded' THEN 'done' ELSE 'failed' END,
          job = b.job || CASE WHEN b.ticket IS NULL THEN jsonb_build_object('state', b.state)
              ELSE jsonb_build_object('state', 'queued', 'ticket', b.ticket,
                'due_at', ${dueIn('b."delayMs" * interval \'1 millisecond\'')}) END
            || CASE WHEN b.state = 'released' THEN jsonb_build_object('attempts', (b.job ->> 'attempts')::integer - 1)
              ELSE jsonb_build_object('result', b.result, 'error', b.error) END
        FROM before b WHERE t.id = b.id AND t.id = ANY (ARRAY(SELECT id FROM before))
        RETURNING ${TASK_COLUMNS}
      ), told AS (
        INSERT INTO events (type, user_id, audience, data) SELECT 'task_updated', t.user_id, ${audienceOfUser('t.user_id')}, row_to_json(t) FROM t ORDER BY t.id
      )
      SELECT id, number FROM before`,
    values: [JSON.stringify(given)],
  })
  const key = (taskId: number, number: number) => `${taskId} ${number}`
  const written = new Set(rows.map(({ id, number }) => key(id, number)))
  return runs.filter(({ taskId, number }) => written.has(key(taskId, number)))
}
