import type { Actor } from '../../core/actor.ts'
import { authorize, ownerScope } from '../../core/authorization.ts'
import { DomainError, validationError } from '../../core/errors.ts'
import type { Queryable } from '../../database/database.ts'
import type { Status, TaskRow } from './task.ts'
import { listTasks, parseSort, type SortKey, type TaskPage } from './task-query.ts'
import type { CreateTask, ListTasks, PatchTask } from './task-schemas.ts'
import {
  findTask,
  type Guard,
  insertTask,
  type Outcome,
  restoreTask,
  trashTask,
  updateTask,
} from './task-store.ts'

/** `versions`: what If-Match names; undefined when there is no precondition. */
export interface TaskService {
  create(actor: Actor, input: CreateTask): Promise<TaskRow>
  get(actor: Actor, id: number): Promise<TaskRow>
  list(actor: Actor, query: ListTasks): Promise<TaskPage>
  patch(actor: Actor, id: number, input: PatchTask, versions?: number[]): Promise<Outcome>
  replace(actor: Actor, id: number, input: CreateTask, versions?: number[]): Promise<Outcome>
  remove(actor: Actor, id: number, versions?: number[]): Promise<void>
  restore(actor: Actor, id: number): Promise<Outcome>
}

/**
 * The rules of tasks, on a database or on a transaction of it. `onChange` is called after each
 * write; on a transaction, leave it out and wake the stream after the commit.
 */
export function createTaskService(db: Queryable, onChange: () => void = () => {}): TaskService {
  /** Makes a change to the task, which leaves alone what the actor may not change. */
  async function change(
    actor: Actor,
    id: number,
    versions: number[] | undefined,
    run: (guard: Guard) => Promise<Outcome | undefined>,
    where?: string,
  ): Promise<Outcome> {
    authorize(actor, 'task.change')
    const row = found(id, await run({ owner: ownerScope(actor), versions }), where)
    authorize(actor, 'task.change', row)
    if (row.changed) onChange()
    else if (versions && !versions.includes(row.version)) throw stale(row)
    return row
  }

  return {
    async create(actor, input) {
      authorize(actor, 'task.create')
      const userId = actor.kind === 'user' ? actor.id : null
      const row = await insertTask(db, { ...complete(input), userId })
      onChange()
      return row
    },
    async get(actor, id) {
      authorize(actor, 'task.read')
      const row = found(id, await findTask(db, id))
      authorize(actor, 'task.read', row)
      return row
    },
    async list(actor, { status, completed, sort, skip, limit }) {
      authorize(actor, 'task.read')
      const owner = ownerScope(actor)
      return listTasks(db, { owner, statuses: status, completed, sort: sortKeys(sort), skip, limit })
    },
    patch(actor, id, input, versions) {
      return change(actor, id, versions, (guard) => {
        const { title, description, city } = input
        return updateTask(db, id, { title, description, ...statusChange(input), city }, guard)
      })
    },
    replace(actor, id, input, versions) {
      return change(actor, id, versions, (guard) => updateTask(db, id, complete(input), guard))
    },
    async remove(actor, id, versions) {
      await change(actor, id, versions, (guard) => trashTask(db, id, guard))
    },
    restore(actor, id) {
      return change(actor, id, undefined, (guard) => restoreTask(db, id, guard), 'in the trash')
    },
  }
}

/** The whole task that a POST or PUT body describes. */
function complete(input: CreateTask) {
  return {
    title: input.title,
    description: input.description ?? null,
    status: statusChange(input).status ?? 'todo',
    city: input.city ?? null,
  }
}

/** `completed` is another way to say `status`; both in one body must agree. */
function statusChange(input: PatchTask): { status: Status | undefined; reopen: boolean } {
  const { status } = input
  if (status !== undefined && input.completed !== undefined && (status === 'done') !== input.completed) {
    throw validationError([{ path: 'body.completed', message: `contradicts status "${status}"` }])
  }
  if (status !== undefined) return { status, reopen: false }
  return { status: input.completed ? 'done' : undefined, reopen: input.completed === false }
}

function sortKeys(text: string): SortKey[] {
  try {
    return parseSort(text)
  } catch (error) {
    throw validationError([{ path: 'query.sort', message: (error as Error).message }])
  }
}

function found<T>(id: number, row: T | undefined, where = 'here'): T {
  if (row === undefined) throw new DomainError('not-found', `There is no task ${id} ${where}.`)
  return row
}

function stale({ id, version }: TaskRow): DomainError {
  return new DomainError('precondition-failed', `Task ${id} is at version ${version} by now; read it again.`)
}
