import type { Actor } from '../../core/actor.ts'
import type { Transaction } from '../../database/database.ts'
import type { TaskRow } from './task.ts'
import type { NewJob } from './task-job.ts'
import type { NewTask } from './task-store.ts'

/** Makes executable tasks. The room of jobs gives it to the tasks. */
export interface ExecutableTasks {
  /** Writes the task, its event and its place in the queue in one transaction. */
  create(transaction: Transaction, actor: Actor, task: NewTask, job: NewJob): Promise<TaskRow>
}
