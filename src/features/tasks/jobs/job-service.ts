import { randomUUID } from 'node:crypto'
import { scopeOf } from '../../../core/access-scope.ts'
import type { Actor } from '../../../core/actor.ts'
import { authorize } from '../../../core/authorization.ts'
import { DomainError } from '../../../core/errors.ts'
import { type Database, inTransactionOf, type Transaction } from '../../../platform/database/database.ts'
import { type Controlled, cancelJob, requeueJob } from './control-store.ts'
import type { Executables } from './executable-tasks.ts'
import type { TaskQueue } from './task-queue.ts'
import { type QueueStatistics, queueStatistics } from './task-run-store.ts'

export interface JobService {
  /** Queues a failed job again, or one that waits for its next attempt, at once; one that is due stays as it is. */
  retry(actor: Actor, id: number): Promise<Controlled>
  /** Ends a pending job as failed. */
  cancel(actor: Actor, id: number): Promise<Controlled>
}

/**
 * What people may do about jobs, on a database or on a transaction of it; `onChange` as with tasks.
 */
export function createJobService(
  db: Database | Transaction,
  queue: TaskQueue,
  executables: Pick<Executables, 'authorize'>,
  onChange: () => void = () => {},
): JobService {
  function checked(actor: Actor, id: number, row: Controlled | undefined, word: string): Controlled {
    if (!row) throw new DomainError('not-found', `There is no task ${id} here.`)
    authorize(actor, 'task.change', row)
    if (!row.job) throw new DomainError('conflict', `Task ${id} has no job.`)
    if (!row.changed) {
      throw new DomainError('conflict', `The job of task ${id} is ${row.job.state} and cannot be ${word}.`)
    }
    return row
  }

  return {
    async retry(actor, id) {
      authorize(actor, 'task.change')
      const queued = await inTransactionOf(db, async (transaction) => {
        const ticket = randomUUID()
        const row = await requeueJob(transaction, id, scopeOf(actor), ticket)
        if (!row?.changed) return row
        executables.authorize(actor, row.job!.type)
        await queue.add(transaction, [{ id: ticket, taskId: id }])
        return row
      })
      // One that is due already is about to be run: nothing is left to do.
      if (queued?.job?.state === 'queued' && !queued.changed) {
        authorize(actor, 'task.change', queued)
        return queued
      }
      const row = checked(actor, id, queued, 'retried')
      onChange()
      return row
    },
    async cancel(actor, id) {
      authorize(actor, 'task.change')
      const row = checked(actor, id, await cancelJob(db, id, scopeOf(actor)), 'cancelled')
      onChange()
      return row
    },
  }
}

/** The figures of the tasks that the actor may see. */
export function queueStatisticsFor(db: Database, actor: Actor): Promise<QueueStatistics> {
  authorize(actor, 'task.read')
  return queueStatistics(db, scopeOf(actor))
}
