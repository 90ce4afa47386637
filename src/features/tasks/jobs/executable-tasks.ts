import { randomUUID } from 'node:crypto'
import type { Actor } from '../../../core/actor.ts'
import { authorize } from '../../../core/authorization.ts'
import { validationError } from '../../../core/errors.ts'
import type { Transaction } from '../../../platform/database/database.ts'
import type { ExecutableTask, ExecutableTasks, NewJob, NewTask, TaskRow } from '../index.ts'
import { isStorable } from './bounded.ts'
import { DEFAULT_ATTEMPTS } from './job-schema.ts'
import { insertExecutables, type NewExecutable } from './job-store.ts'
import type { JobType } from './job-type.ts'
import type { TaskQueue } from './task-queue.ts'

const MAX_INPUT_BYTES = 16 * 1024

export interface Executables extends ExecutableTasks {
  /** Throws unless the actor may have jobs of the type run. */
  authorize(actor: Actor, type: string): void
  /** Throws unless the input can be kept; what its schema cannot say. */
  check(job: NewJob): void
}

/** Makes executable tasks of jobs whose input has been checked by their schema. */
export function createExecutables(types: readonly JobType[], queue: TaskQueue): Executables {
  const typeOf = (name: string) => types.find((type) => type.name === name)

  async function createAll(transaction: Transaction, tasks: readonly ExecutableTask[]): Promise<TaskRow[]> {
    const rows = await insertExecutables(
      transaction,
      tasks.map(({ task, job }) => planned(typeOf(job.type)!, task, job)),
    )
    await queue.add(
      transaction,
      rows.map(({ id, job }) => ({ id: job!.ticket, taskId: id })),
    )
    return rows
  }

  function authorizeType(actor: Actor, name: string): void {
    const permission = typeOf(name)?.permission
    if (permission) authorize(actor, permission)
  }

  return {
    createAll,
    authorize: authorizeType,
    check: checkInput,
    allow(actor, job) {
      authorizeType(actor, job.type)
      checkInput(job)
    },
  }
}

function checkInput({ input = {} }: NewJob): void {
  const wrong = (message: string) => validationError([{ path: 'body.job.input', message }])
  if (!isStorable(input)) throw wrong('must not contain NUL or half a surrogate pair')
  if (Buffer.byteLength(JSON.stringify(input)) > MAX_INPUT_BYTES)
    throw wrong(`must be at most ${MAX_INPUT_BYTES} bytes of JSON`)
}

function planned(type: JobType, task: NewTask, job: NewJob): NewExecutable {
  const given = job.input ?? {}
  const shown = type.shown?.(given as never) ?? given
  return {
    task,
    job: {
      type: type.name,
      input: shown,
      max_attempts: job.max_attempts ?? DEFAULT_ATTEMPTS,
      ticket: randomUUID(),
    },
    secret: shown === given ? undefined : given,
  }
}
