import { randomUUID } from 'node:crypto'
import type { Actor } from '../../../core/actor.ts'
import { authorize } from '../../../core/authorization.ts'
import { validationError } from '../../../core/errors.ts'
import type { Transaction } from '../../../platform/database/database.ts'
import type { TaskRow } from '../task-columns.ts'
import type { PlannedJob } from '../task-insert.ts'
import type { NewJob } from '../task-job.ts'
import { isStorable } from './bounded.ts'
import { DEFAULT_ATTEMPTS } from './job-schema.ts'
import type { JobType } from './job-type.ts'
import type { TaskQueue } from './task-queue.ts'

const MAX_INPUT_BYTES = 16 * 1024

/** The rules of executable tasks, which are tasks with a job. The input of a job has been checked by its schema. */
export interface Executables {
  /** Throws unless the actor may have jobs of the type run. */
  authorize(actor: Actor, type: string): void
  /** Throws if the input cannot be stored, for a reason that a schema cannot express. */
  check(job: NewJob): void
  /** Throws unless the actor may have the job run and its input can be stored. */
  allow(actor: Actor, job: NewJob): void
  /** Returns the job as it is stored, under a new id of the queue. */
  plan(job: NewJob): PlannedJob
  /** Queues the jobs of these tasks, in the transaction that inserted them. */
  enqueue(transaction: Transaction, tasks: readonly TaskRow[]): Promise<void>
}

export function createExecutables(types: readonly JobType[], queue: TaskQueue): Executables {
  const typeOf = (name: string) => types.find((type) => type.name === name)

  function authorizeType(actor: Actor, name: string): void {
    const permission = typeOf(name)?.permission
    if (permission) authorize(actor, permission)
  }

  return {
    authorize: authorizeType,
    check: checkInput,
    allow(actor, job) {
      authorizeType(actor, job.type)
      checkInput(job)
    },
    plan({ type: name, input: given = {}, max_attempts = DEFAULT_ATTEMPTS }) {
      const input = typeOf(name)!.shown?.(given as never) ?? given
      return {
        job: { type: name, input, max_attempts, ticket: randomUUID() },
        secret: input === given ? undefined : given,
      }
    },
    enqueue: (transaction, tasks) =>
      queue.add(
        transaction,
        tasks.flatMap(({ id, job }) => (job ? [{ id: job.ticket, taskId: id }] : [])),
      ),
  }
}

function checkInput({ input = {} }: NewJob): void {
  const wrong = (message: string) => validationError([{ path: 'body.job.input', message }])
  if (!isStorable(input)) throw wrong('must not contain NUL or half a surrogate pair')
  if (Buffer.byteLength(JSON.stringify(input)) > MAX_INPUT_BYTES)
    throw wrong(`must be at most ${MAX_INPUT_BYTES} bytes of JSON`)
}
