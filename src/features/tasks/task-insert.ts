import { audienceOfUser } from '../../events/audience.ts'
import type { StoredEvent } from '../../events/event-types.ts'
import type { Queryable } from '../../platform/database/database.ts'
import {
  COLUMNS,
  INSERTED,
  INSERTED_TYPES,
  type NewTaskFields,
  rowFromSnapshot,
  type TaskRow,
} from './task-columns.ts'
import { dueIn, type StoredJob } from './task-job.ts'

/** A job to insert with its task. */
export interface PlannedJob {
  job: Pick<StoredJob, 'type' | 'input' | 'max_attempts' | 'ticket'>
  /** The input as it was given, if the job shows it without its secrets. */
  secret: object | undefined
}

// The statement for tasks without a job is a text of its own: the table of secrets costs time even if nothing is
// inserted into it, and most tasks have no job.
const insertStatement = (withJobs: boolean) => `
  WITH given AS (
    SELECT * FROM json_to_recordset($1::json)
      AS g (index integer, ${INSERTED_TYPES}${withJobs ? ', job jsonb, secret jsonb' : ''})
  ), t AS (
    INSERT INTO tasks AS t (${INSERTED.join(', ')}${withJobs ? ', job' : ''})
    SELECT ${INSERTED.join(', ')}${withJobs ? `, ${QUEUED}` : ''}
    FROM given ORDER BY index
    RETURNING ${COLUMNS}
  )${withJobs ? `, ${SECRETS}` : ''}
  INSERT INTO events (type, user_id, audience, data)
  SELECT 'task_created', t.user_id, ${audienceOfUser('t.user_id')}, row_to_json(t) FROM t ORDER BY t.id
  RETURNING id, type, at, audience, data`

/** The job of `given` in its first state; null for a task without one. */
const QUEUED = `job || jsonb_build_object('state', 'queued', 'attempts', 0, 'runs', 0, 'result', NULL, 'error', NULL,
      'due_at', ${dueIn("interval '0'")})`

const SECRETS = `secret AS (
    INSERT INTO job_secrets (task_id, input)
    SELECT t.id, g.secret FROM given g JOIN t ON t.job ->> 'ticket' = g.job ->> 'ticket' WHERE g.secret IS NOT NULL
  )`

const INSERT = { name: 'task-insert', text: insertStatement(false) }
const INSERT_WITH_JOBS = { name: 'task-insert-jobs', text: insertStatement(true) }

/**
 * Inserts tasks in their order, with or without jobs, in one statement with their events. Returns the rows in that
 * order, and the events, which are all that the statement wrote. The caller queues the jobs in the same transaction.
 */
export async function insertTasks(
  db: Queryable,
  tasks: readonly (NewTaskFields & Partial<PlannedJob>)[],
): Promise<{ rows: TaskRow[]; events: StoredEvent[] }> {
  const { rows: events } = await db.query<StoredEvent & { data: TaskRow }>({
    // The rows are read from their events: one column to describe and to convert instead of sixteen.
    ...(tasks.some(({ job }) => job) ? INSERT_WITH_JOBS : INSERT),
    values: [JSON.stringify(tasks.map((task, index) => ({ index, ...task })))],
  })
  return { rows: events.map(({ data }) => rowFromSnapshot(data)), events }
}
