export const jobStates = ['queued', 'running', 'succeeded', 'failed'] as const
export type JobState = (typeof jobStates)[number]

/** A job as clients see it. */
export interface Job {
  type: string
  input: object
  state: JobState
  /** Attempts started since the last manual retry. */
  attempts: number
  max_attempts: number
  /** ISO 8601, UTC, microseconds: when it is, or was last, due. */
  due_at: string
  result: unknown
  error: string | null
}

/** `tasks.job`: what is shown, and what the worker goes by. */
export interface StoredJob extends Job {
  /** Id of the queue entry. A new entry replaces it. */
  ticket: string
  /** How many runs it has had in all: the number of the last one, which fences those before it. */
  runs: number
}

/** The job in the body of a POST. */
export interface NewJob {
  type: string
  input?: object
  max_attempts?: number
}

export function presentJob(job: StoredJob): Job {
  const { type, input, state, attempts, max_attempts, due_at, result, error } = job
  return { type, input, state, attempts, max_attempts, due_at, result, error }
}

/** True while the job is a worker's business, and with it the task's status. */
export function isPending(job: StoredJob | null): boolean {
  return job !== null && (job.state === 'queued' || job.state === 'running')
}

/** SQL for the text of `now()` plus an interval, which is given as SQL, in the format of a job's `due_at`. */
export function dueIn(interval: string): string {
  return `to_char(now() AT TIME ZONE 'UTC' + ${interval}, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`
}
