import { scopeOf } from '../../core/access-scope.ts'
import { type Caller, userIdOf } from '../../core/actor.ts'
import { authorize } from '../../core/authorization.ts'
import { DomainError, validationError } from '../../core/errors.ts'
import { type Database, inTransactionOf, type Transaction } from '../../platform/database/database.ts'
import type { Executables } from './jobs/executable-tasks.ts'
import type { Operation } from './task-batch-schemas.ts'
import type { TaskRow } from './task-columns.ts'
import { lockPositions } from './task-position.ts'
import {
  createTaskService,
  type NewTask,
  newTask,
  type TaskService,
  type TaskServiceDeps,
} from './task-service.ts'
import { lockTasks } from './task-store.ts'

export interface TaskBatches {
  /**
   * Runs all operations in their order, or none; returns the row of each as it stands after its operation. Throws the
   * error of the first operation that fails, with its index in the batch.
   */
  run(by: Caller, operations: readonly Operation[]): Promise<TaskRow[]>
}

type Step = NewTask | Exclude<Operation, { op: 'create' }>

/** Batches of changes, on a database or on a transaction of it. Their effects are those of the task service. */
export function createTaskBatches(
  db: Database | Transaction,
  deps: TaskServiceDeps & { executables: Executables },
): TaskBatches {
  /** Checks what can be checked without the database. */
  function prepare({ actor }: Caller, operation: Operation): Step {
    if (operation.op !== 'create') return operation
    authorize(actor, 'task.create')
    const task = newTask(operation.task, userIdOf(actor))
    if (task.job) deps.executables.allow(actor, task.job)
    return task
  }

  /** Sends the first step, together with the creations that directly follow it if it is one; a promise for each. */
  function send(tasks: TaskService, by: Caller, steps: readonly Step[]): Promise<TaskRow>[] {
    const [first] = steps
    if ('op' in first!) return [change(tasks, by, first)]
    const end = steps.findIndex((step) => 'op' in step)
    const creations = steps.slice(0, end === -1 ? undefined : end) as NewTask[]
    const created = tasks.createAll(by, creations)
    return creations.map((_, i) => created.then((rows) => rows[i]!))
  }

  return {
    async run(by, operations) {
      const steps = operations.map((operation, index) => {
        try {
          return prepare(by, operation)
        } catch (error) {
          throw placed(error, index)
        }
      })
      const targets = operations.flatMap((operation) => (operation.op === 'create' ? [] : [operation.id]))
      return await inTransactionOf(db, async (transaction) => {
        const tasks = createTaskService(transaction, deps)
        if (steps.some(moves)) await lockPositions(transaction)
        if (targets.length > 0) await lockTasks(transaction, targets, scopeOf(by.actor))
        const sent: Promise<TaskRow>[] = []
        // They leave without waiting for answers: one connection runs them in the order in which they were sent.
        while (sent.length < steps.length) {
          const isMove = moves(steps[sent.length]!)
          if (isMove) await Promise.allSettled(sent)
          sent.push(...send(tasks, by, steps.slice(sent.length)))
          if (isMove) await Promise.allSettled(sent)
        }
        return answers(sent)
      })
    },
  }
}

/** A move reads the positions of other tasks before it sends its change. */
function moves(step: Step): boolean {
  return 'op' in step && step.op === 'update' && step.task.position !== undefined
}

function change(tasks: TaskService, by: Caller, operation: Exclude<Operation, { op: 'create' }>) {
  const { id, version } = operation
  const versions = version === undefined ? undefined : [version]
  return operation.op === 'update'
    ? tasks.patch(by, id, operation.task, versions)
    : tasks.remove(by, id, versions)
}

/** Waits for all operations, also when one fails: those under way still belong to the transaction. */
async function answers(sent: readonly Promise<TaskRow>[]): Promise<TaskRow[]> {
  const results = await Promise.allSettled(sent)
  return results.map((result, index) => {
    if (result.status === 'rejected') throw placed(result.reason, index)
    return result.value
  })
}

/** Returns the error as one of the operation at `index`. */
function placed(error: unknown, index: number): unknown {
  if (!(error instanceof DomainError)) return error
  const { code, message, headers, errors } = error
  const path = `body.operations.${index}`
  if (errors)
    return validationError(errors.map((one) => ({ ...one, path: one.path.replace('body', `${path}.task`) })))
  return new DomainError(code, `Operation ${index}: ${message}`, { headers, errors: [{ path, message }] })
}
