import type { Transaction } from '../database/database.ts'

export interface QueueOptions {
  /**
   * `short`: one job can wait; `stately`: one can wait and one can run; `exclusive`: one can wait or run. With a
   * `key` this holds for each key. The default is `standard`, without a limit. A job that the policy does not
   * allow is dropped without an error.
   */
  policy?: 'standard' | 'short' | 'stately' | 'exclusive'
  /** Retries after a failure, a lost heartbeat or an expired job. */
  retryLimit?: number
  /** Seconds. */
  retryDelay?: number
  retryBackoff?: boolean
  /** A job that runs longer is taken from its holder and retried. */
  expireInSeconds?: number
  /** A job whose holder sends no heartbeat for so long is taken from it and retried. */
  heartbeatSeconds?: number
  /** A job that waits longer is deleted. */
  retentionSeconds?: number
  /** When a finished job is deleted. */
  deleteAfterSeconds?: number
  /** Number of waiting jobs from which a warning is logged. */
  warningQueueSize?: number
}

export interface OpenOptions {
  /** Gives the queue a table of its own, so that its backlog does not slow the other queues down. */
  ownTable?: boolean
  /** Applies the options to a queue that already exists. Without this an existing queue keeps its options. */
  update?: boolean
}

/** Identifies one attempt of a job. It becomes stale when the job is taken from its holder. */
export interface JobClaim {
  readonly id: string
  /** Number of earlier attempts. */
  readonly retryCount: number
}

export interface ClaimedJob<Data extends object> extends JobClaim {
  data: Data
  groupId?: string | null
}

/** A job as its handler receives it. Both times are read from the clock of the database. */
export interface StartedJob {
  startAfter: Date
  startedOn: Date
}

export interface FetchRequest {
  batchSize: number
  ignoreGroups?: string[]
}

/**
 * One queue of durable jobs, shared by all processes on the database. Methods that take a transaction write in it,
 * so that a job exists if and only if the transaction commits.
 */
export interface JobQueue<Data extends object = object> {
  /** Adds one job outside of any transaction. `startAfter`: seconds from now, or a time. */
  send(data: Data, startAfter?: number | Date): Promise<void>
  /** Adds jobs. `startAfter` is in seconds from now. */
  enqueue(
    transaction: Transaction,
    jobs: readonly { id: string; data: Data; startAfter: number }[],
  ): Promise<void>
  /**
   * Adds jobs, each in the group that is named after its key. Where the policy does not allow a second job with the
   * same key, a job that waits gets the new `startAfter`, in seconds from now, and a job that runs stays as it is.
   */
  enqueueOrReschedule(
    transaction: Transaction,
    jobs: readonly { key: string; data: Data; startAfter: number }[],
  ): Promise<void>
  /** Claims up to `batchSize` due jobs, the oldest first. */
  fetch(request: FetchRequest, transaction?: Transaction): Promise<ClaimedJob<Data>[]>
  /** Deletes claimed jobs. Returns how many of the claims were still valid. */
  complete(transaction: Transaction, claims: readonly JobClaim[]): Promise<number>
  /** Sends a heartbeat for claimed jobs. */
  touch(claims: readonly JobClaim[]): Promise<void>
  /** Runs `handler` for due jobs, one at a time, until `stopWork`. A handler that throws fails the job. */
  work(pollSeconds: number, handler: (job: StartedJob) => Promise<void>): Promise<void>
  /** Stops taking jobs. Resolves at once; a handler that runs goes on. */
  stopWork(): Promise<void>
  /** Adds a job at the times of a cron expression, once in all processes. */
  schedule(cron: string): Promise<void>
  /** Retries jobs whose holder lost its claim, if no process has done so in the last seconds. */
  supervise(): Promise<void>
  /** Deletes the jobs that wait. */
  clear(): Promise<void>
  /** Returns when a waiting job is due; undefined if none waits or the queue does not exist. */
  nextDue(): Promise<Date | undefined>
  /**
   * Updates the planner's statistics. A queue that has just filled from empty has none until autovacuum runs,
   * a minute or more later; until then each deletion of a job scans the whole table.
   */
  analyze(): Promise<void>
}
