import type { Actor } from '../../core/actor.ts'
import type { Transaction } from '../../platform/database/database.ts'
import type { TaskRow } from './task.ts'
import type { NewJob } from './task-job.ts'
import type { NewTask } from './task-store.ts'

export interface ExecutableTask {
  task: NewTask
  job: NewJob
}

/** Makes executable tasks. The room of jobs gives it to the tasks. */
export interface ExecutableTasks {
  /** Throws unless the actor may have such a job run, and its input can be kept. */
  allow(actor: Actor, job: NewJob): void
  /** Writes tasks, their events and their places in the queue in one transaction; in the order given. */
  createAll(transaction: Transaction, tasks: readonly ExecutableTask[]): Promise<TaskRow[]>
}
