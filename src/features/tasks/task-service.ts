import { DomainError, validationError } from '../../core/errors.ts'
import type { Queryable } from '../../database/database.ts'
import type { Status, TaskRow } from './task.ts'
import { listTasks, parseSort, type SortKey, type TaskPage } from './task-query.ts'
import type { CreateTask, ListTasks, PatchTask } from './task-schemas.ts'
import { findTask, insertTask, type Outcome, restoreTask, trashTask, updateTask } from './task-store.ts'

export interface TaskService {
  create(input: CreateTask): Promise<TaskRow>
  get(id: number): Promise<TaskRow>
  list(query: ListTasks): Promise<TaskPage>
  /** `versions`: what If-Match names; undefined when there is no precondition. */
  patch(id: number, input: PatchTask, versions?: number[]): Promise<Outcome>
  replace(id: number, input: CreateTask, versions?: number[]): Promise<Outcome>
  remove(id: number, versions?: number[]): Promise<void>
  restore(id: number): Promise<TaskRow>
}

/**
 * The rules of tasks, on a database or on a transaction of it. `onChange` is called after each
 * write; on a transaction, leave it out and wake the stream after the commit.
 */
export function createTaskService(db: Queryable, onChange: () => void = () => {}): TaskService {
  return {
    async create(input) {
      const row = await insertTask(db, complete(input))
      onChange()
      return row
    },
    async get(id) {
      return found(id, await findTask(db, id))
    },
    list({ status, completed, sort, skip, limit }) {
      return listTasks(db, {
        statuses: status,
        completed,
        sort: sortKeys(sort),
        skip,
        limit,
      })
    },
    async patch(id, input, versions) {
      const { status, reopen } = statusChange(input)
      const { title, description, city } = input
      const outcome = await updateTask(db, id, { title, description, status, reopen, city }, versions)
      return settled(id, outcome, versions, onChange)
    },
    async replace(id, input, versions) {
      return settled(id, await updateTask(db, id, complete(input), versions), versions, onChange)
    },
    async remove(id, versions) {
      settled(id, await trashTask(db, id, versions), versions, onChange)
    },
    async restore(id) {
      const row = found(id, await restoreTask(db, id), 'in the trash')
      onChange()
      return row
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

function settled(
  id: number,
  outcome: Outcome | undefined,
  versions: number[] | undefined,
  onChange: () => void,
): Outcome {
  const row = found(id, outcome)
  if (!row.changed && versions && !versions.includes(row.version)) {
    throw new DomainError(
      'precondition-failed',
      `Task ${id} is at version ${row.version} by now; read it again.`,
    )
  }
  if (row.changed) onChange()
  return row
}
