import { scopeOf } from '../../core/access-scope.ts'
import { type Actor, type Caller, userIdOf } from '../../core/actor.ts'
import { authorize } from '../../core/authorization.ts'
import { DomainError, validationError } from '../../core/errors.ts'
import type { StoredEvent } from '../../events/event-types.ts'
import { coalesced } from '../../platform/database/coalesce.ts'
import { type Database, inTransactionOf, type Transaction } from '../../platform/database/database.ts'
import type { Weather } from '../weather/index.ts'
import { iterateTasks } from './iterate-tasks.ts'
import type { Executables } from './jobs/executable-tasks.ts'
import type { ListTasks, TaskFilterFields } from './list-schema.ts'
import type { NewTaskFields, TaskRow } from './task-columns.ts'
import { afterTaskChange, type TaskChangeKind, type TaskEffects } from './task-effects.ts'
import { insertTasks } from './task-insert.ts'
import { isPending, type NewJob } from './task-job.ts'
import { readFilter, readList } from './task-list.ts'
import { positionFor } from './task-position.ts'
import { listTasks, type TaskPage } from './task-query.ts'
import type { CreateTask, Move, PatchTask } from './task-schemas.ts'
import type { Status } from './task-status.ts'
import {
  findTask,
  restoreTask,
  type TaskOutcome,
  trashTask,
  updateTask,
  type WriteCondition,
} from './task-store.ts'

/** A task to create, with what `POST /tasks` says of it. */
export interface NewTask extends NewTaskFields {
  job: NewJob | undefined
  /** Names of the fields that were given, for the log. */
  fields: readonly string[]
}

/**
 * `versions` are those that If-Match names; undefined means that there is no precondition. `weather` is that of the
 * city in the input, if it is known by now.
 */
export interface TaskService {
  create(by: Caller, input: CreateTask, weather?: Weather | null): Promise<TaskRow>
  /** Creates tasks in one statement, and queues their jobs in another. The rows are in the order given. */
  createAll(by: Caller, tasks: readonly NewTask[]): Promise<TaskRow[]>
  get(actor: Actor, id: number): Promise<TaskRow>
  list(actor: Actor, query: ListTasks): Promise<TaskPage>
  /** Yields all tasks that match, in batches. */
  iterate(actor: Actor, fields: TaskFilterFields): AsyncGenerator<TaskRow[]>
  patch(
    by: Caller,
    id: number,
    input: PatchTask,
    versions?: number[],
    weather?: Weather | null,
  ): Promise<TaskOutcome>
  replace(
    by: Caller,
    id: number,
    input: CreateTask,
    versions?: number[],
    weather?: Weather | null,
  ): Promise<TaskOutcome>
  remove(by: Caller, id: number, versions?: number[]): Promise<TaskOutcome>
  restore(by: Caller, id: number): Promise<TaskOutcome>
}

export interface TaskServiceDeps extends TaskEffects {
  /** The rules of jobs; without them no task can have one. */
  executables?: Executables
}

/** The rules of tasks, on a database or on a transaction of it. Effects follow the commit of either. */
export function createTaskService(db: Database | Transaction, deps: TaskServiceDeps = {}): TaskService {
  const { changed, executables } = deps
  const isInTransaction = 'inTransaction' in db

  /** Wakes the relay after the commit; with the events only if the caller's transaction writes no others. */
  function published(handle: Database | Transaction, events?: readonly StoredEvent[]): void {
    if (changed) handle.afterCommit(() => changed(isInTransaction ? undefined : events))
  }

  const insertAll = async (tasks: readonly NewTaskFields[]) => {
    const { rows, events } = await insertTasks(db, tasks)
    published(db, events)
    return rows
  }
  const insert = isInTransaction
    ? async (task: NewTaskFields) => (await insertAll([task]))[0]!
    : coalesced(insertAll)

  /** Inserts tasks some of which have jobs, and queues the jobs in the same transaction. */
  function insertExecutable(by: Caller, tasks: readonly NewTask[]): Promise<TaskRow[]> {
    if (!executables) throw new DomainError('unavailable', 'This server runs no jobs.')
    for (const { job } of tasks) if (job) executables.allow(by.actor, job)
    const planned = tasks.map(({ job, fields, ...task }) => ({ ...task, ...(job && executables.plan(job)) }))
    return inTransactionOf(db, async (transaction) => {
      const { rows, events } = await insertTasks(transaction, planned)
      published(transaction, events)
      for (const [i, row] of rows.entries()) created(transaction, by, row, tasks[i]!.fields)
      await executables.enqueue(transaction, rows)
      return rows
    })
  }

  function created(
    handle: Database | Transaction,
    by: Caller,
    row: TaskRow,
    fields: readonly string[],
  ): void {
    afterTaskChange(handle, deps, by, { kind: 'created', row, fields })
  }

  /** Changes a task by `run`, which leaves it unchanged if the actor may not change it. */
  async function change(
    by: Caller,
    id: number,
    versions: number[] | undefined,
    kind: TaskChangeKind,
    run: (guard: WriteCondition) => Promise<TaskOutcome | undefined>,
    absent?: string,
  ): Promise<TaskOutcome> {
    const { actor } = by
    authorize(actor, 'task.change')
    const row = found(id, await run({ scope: scopeOf(actor), versions }), absent)
    authorize(actor, 'task.change', row)
    if (row.changed) {
      published(db)
      afterTaskChange(db, deps, by, { kind, row, fields: row.fields })
    } else if (versions && !versions.includes(row.version)) throw stale(row)
    return row
  }

  return {
    async create(by, input, weather = null) {
      authorize(by.actor, 'task.create')
      const task = { ...newTask(input, userIdOf(by.actor)), weather }
      if (task.job) return (await insertExecutable(by, [task]))[0]!
      const { job, fields, ...given } = task
      const row = await insert(given)
      created(db, by, row, fields)
      return row
    },
    async createAll(by, tasks) {
      authorize(by.actor, 'task.create')
      if (tasks.some(({ job }) => job)) return insertExecutable(by, tasks)
      const rows = await insertAll(tasks.map(({ job, fields, ...given }) => given))
      for (const [i, row] of rows.entries()) created(db, by, row, tasks[i]!.fields)
      return rows
    },
    async get(actor, id) {
      authorize(actor, 'task.read')
      const row = found(id, await findTask(db, id))
      authorize(actor, 'task.read', row)
      return row
    },
    async list(actor, query) {
      authorize(actor, 'task.read')
      return listTasks(db, await readList(db, scopeOf(actor), query))
    },
    async *iterate(actor, fields) {
      authorize(actor, 'task.read')
      yield* iterateTasks(db, await readFilter(db, scopeOf(actor), fields))
    },
    async patch(by, id, input, versions, weather = null) {
      const { title, description, priority, due_at, labels, city, position: move } = input
      const { status, reopen } = statusChange(input)
      const changes = {
        title,
        description,
        status,
        reopen,
        priority,
        due_at,
        labels: labels && unique(labels),
        city,
        weather,
      }
      const moveToo = (guard: WriteCondition, move: Move) =>
        inTransactionOf(db, async (transaction) => {
          const position = await positionFor(transaction, by.actor, id, move)
          return updateTask(transaction, id, { ...changes, position }, guard)
        })
      return leftToWorker(
        await change(by, id, versions, 'updated', (guard) =>
          move ? moveToo(guard, move) : updateTask(db, id, changes, guard),
        ),
        status,
      )
    },
    async replace(by, id, input, versions, weather = null) {
      const task = { ...complete(input), weather }
      return leftToWorker(
        await change(by, id, versions, 'replaced', (guard) => updateTask(db, id, task, guard)),
        task.status,
      )
    },
    remove(by, id, versions) {
      return change(by, id, versions, 'deleted', (guard) => trashTask(db, id, guard))
    },
    restore(by, id) {
      const absent = `Task ${id} is not in the trash.`
      return change(by, id, undefined, 'restored', (guard) => restoreTask(db, id, guard), absent)
    },
  }
}

/** Returns the task that a POST body, or a message like it, describes. */
export function newTask(input: CreateTask, userId: number | null): NewTask {
  const task = complete(input)
  if (input.job && task.status !== 'todo') {
    throw validationError([{ path: 'body.status', message: 'must be todo where there is a job' }])
  }
  return { ...task, user_id: userId, job: input.job, fields: Object.keys(input) }
}

/** Returns the complete fields that a POST or PUT body describes. */
function complete(input: CreateTask) {
  return {
    title: input.title,
    description: input.description ?? null,
    status: statusChange(input).status ?? 'todo',
    priority: input.priority ?? 'none',
    due_at: input.due_at ?? null,
    labels: unique(input.labels ?? []),
    city: input.city ?? null,
  }
}

function unique(labels: string[]): string[] {
  return [...new Set(labels)]
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

/** Throws `conflict` if a client sets the status of a task whose job is still queued or running. */
function leftToWorker(row: TaskOutcome, status: Status | undefined): TaskOutcome {
  if (status === undefined || status === row.status || !isPending(row.job)) return row
  throw new DomainError(
    'conflict',
    `The job of task ${row.id} is ${row.job!.state}, so its worker sets the status; cancel it first, or leave the status.`,
  )
}

function found<T>(id: number, row: T | undefined, absent = `Task ${id} does not exist.`): T {
  if (row === undefined) throw new DomainError('not-found', absent)
  return row
}

function stale({ id, version }: TaskRow): DomainError {
  return new DomainError('precondition-failed', `Task ${id} is at version ${version} now; read it again.`)
}
