import type { Transaction } from '../../../platform/database/database.ts'
import type { JobClaim, JobQueues } from '../../../platform/queue/index.ts'

const QUEUE = 'tasks'
/** A lease expires after this many seconds without a heartbeat. */
const LEASE_SECONDS = 15
/** Interval between the heartbeats of a lease. */
export const RENEW_MS = 4_000
/** Past this a ticket is lost in spite of signs of life; every job's own timeout is below it. */
const EXPIRE_SECONDS = 3600
/** A ticket that waits is never thrown away: 60 years, as many as pg-boss can count. */
const FOREVER_SECONDS = 60 * 365 * 86_400

/** The place of a job in the queue, taken by a worker. */
export interface Ticket extends JobClaim {
  taskId: number
}

export interface NewTicket {
  id: string
  taskId: number
  /** Not before so many milliseconds have passed. */
  delayMs?: number
}

/** The queue of executable tasks: pg-boss, used within our own transactions. */
export interface TaskQueue {
  add(transaction: Transaction, tickets: readonly NewTicket[]): Promise<void>
  /** Takes up to `count` tickets that are due, those first that have waited longest. */
  take(transaction: Transaction, count: number): Promise<Ticket[]>
  remove(transaction: Transaction, tickets: readonly Ticket[]): Promise<void>
  /** Sends a heartbeat for tickets that were taken. */
  renew(tickets: readonly Ticket[]): Promise<void>
  /**
   * Makes the planner know the queue. One that has filled from nothing has no statistics until autovacuum
   * comes by, up to a minute and more later; till then every ticket is removed by reading all of them.
   */
  analyze(): Promise<void>
}

/**
 * A ticket says only that a task is due. Everything else is in the task, under its lock, and a ticket that the task no
 * longer names is invalid. pg-boss hands out due tickets, and its supervisor returns tickets whose worker sends no
 * heartbeats. It does not count failures: the transaction that records a failure counts it and queues the next attempt.
 */
export async function openTaskQueue(queues: JobQueues): Promise<TaskQueue> {
  const options = {
    heartbeatSeconds: LEASE_SECONDS,
    expireInSeconds: EXPIRE_SECONDS,
    retentionSeconds: FOREVER_SECONDS,
    // A lost ticket comes back at once and as often as it is lost; attempts are counted elsewhere.
    retryLimit: 1_000_000,
    retryDelay: 0,
    // GET /queue and the metrics report a backlog; a log line every few seconds would only repeat it.
    warningQueueSize: 1_000_000_000,
  }
  // A table of its own: what waits here must not slow the other queues down.
  const queue = await queues.open<{ taskId: number }>(QUEUE, options, { ownTable: true, update: true })
  return {
    async add(transaction, tickets) {
      if (tickets.length === 0) return
      const jobs = tickets.map(({ id, taskId, delayMs = 0 }) => ({
        id,
        data: { taskId },
        startAfter: delayMs / 1000,
      }))
      await queue.enqueue(transaction, jobs)
    },
    async take(transaction, count) {
      const jobs = await queue.fetch({ batchSize: count }, transaction)
      return jobs.map(({ id, retryCount, data }) => ({ id, retryCount, taskId: data.taskId }))
    },
    async remove(transaction, tickets) {
      if (tickets.length === 0) return
      await queue.complete(transaction, tickets)
    },
    async renew(tickets) {
      if (tickets.length === 0) return
      await queue.touch(tickets)
    },
    analyze: () => queue.analyze(),
  }
}
