import { randomUUID } from 'node:crypto'
import { scopeOf } from '../../../core/access-scope.ts'
import { type Actor, type Caller, caller } from '../../../core/actor.ts'
import { authorize } from '../../../core/authorization.ts'
import { DomainError } from '../../../core/errors.ts'
import { type Database, inTransactionOf, type Transaction } from '../../../platform/database/database.ts'
import type { TaskEffects } from '../index.ts'
import { type Controlled, cancelJob, requeueJob } from './control-store.ts'
import type { Executables } from './executable-tasks.ts'
import type { TaskQueue } from './task-queue.ts'
import { type QueueStatistics, queueStatistics } from './task-run-store.ts'

export interface JobService {
  /** Queues a failed job again, or one that waits for its next attempt, at once; a job that is due stays as it is. */
  retry(by: Caller, id: number): Promise<Controlled>
  /** Ends a pending job as failed. */
  cancel(by: Caller, id: number): Promise<Controlled>
}

export interface JobServiceDeps extends Pick<TaskEffects, 'changed' | 'wakeWorkers' | 'log'> {
  queue: TaskQueue
  executables: Pick<Executables, 'authorize'>
}

/** The rules of what people may do to jobs, on a database or on a transaction of it. Effects follow the commit. */
export function createJobService(db: Database | Transaction, deps: JobServiceDeps): JobService {
  const { queue, executables, changed, wakeWorkers, log } = deps

  function checked(actor: Actor, id: number, row: Controlled | undefined, word: string): Controlled {
    if (!row) throw new DomainError('not-found', `Task ${id} does not exist.`)
    authorize(actor, 'task.change', row)
    if (!row.job) throw new DomainError('conflict', `Task ${id} has no job.`)
    if (!row.changed) {
      throw new DomainError('conflict', `The job of task ${id} is ${row.job.state} and cannot be ${word}.`)
    }
    return row
  }

  function done(by: Caller, { id, changed: isChanged }: Controlled, word: string): void {
    if (isChanged && changed) db.afterCommit(() => changed())
    if (log) db.afterCommit(() => log.info({ ...caller(by), taskId: id }, `job ${word}`))
    if (wakeWorkers) db.afterCommit(wakeWorkers)
  }

  return {
    async retry(by, id) {
      authorize(by.actor, 'task.change')
      const queued = await inTransactionOf(db, async (transaction) => {
        const ticket = randomUUID()
        const row = await requeueJob(transaction, id, scopeOf(by.actor), ticket)
        if (!row?.changed) return row
        executables.authorize(by.actor, row.job!.type)
        await queue.add(transaction, [{ id: ticket, taskId: id }])
        return row
      })
      const isDue = queued?.job?.state === 'queued' && !queued.changed
      if (isDue) authorize(by.actor, 'task.change', queued)
      const row = isDue ? queued : checked(by.actor, id, queued, 'retried')
      done(by, row, 'retried')
      return row
    },
    async cancel(by, id) {
      authorize(by.actor, 'task.change')
      const row = checked(by.actor, id, await cancelJob(db, id, scopeOf(by.actor)), 'cancelled')
      done(by, row, 'cancelled')
      return row
    },
  }
}

/** The figures of the tasks that the actor may see. */
export function queueStatisticsFor(db: Database, actor: Actor): Promise<QueueStatistics> {
  authorize(actor, 'task.read')
  return queueStatistics(db, scopeOf(actor))
}
