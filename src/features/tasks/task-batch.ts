import { scopeOf } from '../../core/access-scope.ts'
import { type Actor, userIdOf } from '../../core/actor.ts'
import { authorize } from '../../core/authorization.ts'
import { DomainError, validationError } from '../../core/errors.ts'
import { type Database, inTransactionOf, type Transaction } from '../../platform/database/database.ts'
import type { ExecutableTask, ExecutableTasks } from './executable-tasks.ts'
import type { TaskRow } from './task.ts'
import type { Operation } from './task-batch-schemas.ts'
import { lockPositions } from './task-position.ts'
import { createTaskService, newTask, type TaskService } from './task-service.ts'
import { insertTasks, lockTasks, type NewTask, type TaskOutcome } from './task-store.ts'

/** A row as it stands after its operation; of updates and deletes it says whether, and what, they changed. */
export type BatchRow = TaskRow & Partial<Pick<TaskOutcome, 'changed' | 'fields'>>

export interface TaskBatches {
  /**
   * Does all operations, each after those before it, or none; a row for each. Throws what the first that fails
   * would throw by itself, with its place in the batch.
   */
  run(actor: Actor, operations: readonly Operation[]): Promise<BatchRow[]>
}

type Step = NewTask | ExecutableTask | Exclude<Operation, { op: 'create' }>

/** Batches of changes, on a database or on a transaction of it; `onChange` as with the service of tasks. */
export function createTaskBatches(
  db: Database | Transaction,
  executables: ExecutableTasks,
  onChange: () => void = () => {},
): TaskBatches {
  /** Looks at what can be refused without the database. */
  function prepare(actor: Actor, operation: Operation): Step {
    if (operation.op !== 'create') return operation
    authorize(actor, 'task.create')
    const { job } = operation.task
    const task = newTask(operation.task, userIdOf(actor))
    if (!job) return task
    executables.allow(actor, job)
    return { task, job }
  }

  /** Sends a step, or as many creations as follow one another there; a promise for each. */
  function send(transaction: Transaction, tasks: TaskService, actor: Actor, steps: readonly Step[]) {
    const [first] = steps
    if ('op' in first!) return [change(tasks, actor, first)]
    const isAlike = (step: Step) => !('op' in step) && 'job' in step === 'job' in first!
    const end = steps.findIndex((step) => !isAlike(step))
    const alike = steps.slice(0, end === -1 ? undefined : end)
    const created =
      'job' in first!
        ? executables.createAll(transaction, alike as ExecutableTask[])
        : insertTasks(transaction, alike as NewTask[]).then(({ rows }) => rows)
    return alike.map((_, i) => created.then((rows): BatchRow => rows[i]!))
  }

  return {
    async run(actor, operations) {
      const steps = operations.map((operation, place) => {
        try {
          return prepare(actor, operation)
        } catch (error) {
          throw placed(error, place)
        }
      })
      const targets = operations.flatMap((operation) => (operation.op === 'create' ? [] : [operation.id]))
      const rows = await inTransactionOf(db, async (transaction) => {
        const tasks = createTaskService(transaction)
        if (steps.some(moves)) await lockPositions(transaction)
        if (targets.length > 0) await lockTasks(transaction, targets, scopeOf(actor))
        const sent: Promise<BatchRow>[] = []
        // They leave without waiting for answers: one connection does them in the order in which they were sent.
        while (sent.length < steps.length) {
          const isMove = moves(steps[sent.length]!)
          if (isMove) await Promise.allSettled(sent)
          sent.push(...send(transaction, tasks, actor, steps.slice(sent.length)))
          if (isMove) await Promise.allSettled(sent)
        }
        return answers(sent)
      })
      onChange()
      return rows
    },
  }
}

/** A move has to see the places of others, before what it sends last. */
function moves(step: Step): boolean {
  return 'op' in step && step.op === 'update' && step.task.position !== undefined
}

function change(tasks: TaskService, actor: Actor, operation: Exclude<Operation, { op: 'create' }>) {
  const { id, version } = operation
  const versions = version === undefined ? undefined : [version]
  return operation.op === 'update'
    ? tasks.patch(actor, id, operation.task, versions)
    : tasks.remove(actor, id, versions)
}

/** Waits for all of them, also when one fails: what is still under way belongs to the transaction. */
async function answers(sent: readonly Promise<BatchRow>[]): Promise<BatchRow[]> {
  const results = await Promise.allSettled(sent)
  return results.map((result, place) => {
    if (result.status === 'rejected') throw placed(result.reason, place)
    return result.value
  })
}

/** The error, as one of the operation at `place`. */
function placed(error: unknown, place: number): unknown {
  if (!(error instanceof DomainError)) return error
  const { code, message, headers, errors } = error
  const path = `body.operations.${place}`
  if (errors)
    return validationError(errors.map((one) => ({ ...one, path: one.path.replace('body', `${path}.task`) })))
  return new DomainError(code, `Operation ${place}: ${message}`, { headers, errors: [{ path, message }] })
}
