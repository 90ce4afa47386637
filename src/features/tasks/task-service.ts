import { scopeOf } from '../../core/access-scope.ts'
import { type Actor, userIdOf } from '../../core/actor.ts'
import { authorize } from '../../core/authorization.ts'
import { DomainError, validationError } from '../../core/errors.ts'
import type { StoredEvent } from '../../events/event-types.ts'
import { coalesced } from '../../platform/database/coalesce.ts'
import { type Database, inTransactionOf, type Transaction } from '../../platform/database/database.ts'
import type { Weather } from '../weather/index.ts'
import type { ExecutableTasks } from './executable-tasks.ts'
import { iterateTasks } from './iterate-tasks.ts'
import type { ListTasks, TaskFilterFields } from './list-schema.ts'
import type { Status, TaskRow } from './task.ts'
import { isPending, type NewJob } from './task-job.ts'
import { readFilter, readList } from './task-list.ts'
import { positionFor } from './task-position.ts'
import { listTasks, type TaskPage } from './task-query.ts'
import type { CreateTask, Move, PatchTask } from './task-schemas.ts'
import {
  findTask,
  insertTasks,
  type NewTask,
  restoreTask,
  type TaskOutcome,
  trashTask,
  updateTask,
  type WriteCondition,
} from './task-store.ts'

/**
 * `versions`: what If-Match names; undefined when there is no precondition. `weather`: of the city in the input,
 * where it is known by now.
 */
export interface TaskService {
  create(actor: Actor, input: CreateTask, weather?: Weather | null): Promise<TaskRow>
  get(actor: Actor, id: number): Promise<TaskRow>
  list(actor: Actor, query: ListTasks): Promise<TaskPage>
  /** All that match, a portion after the other. */
  iterate(actor: Actor, fields: TaskFilterFields): AsyncGenerator<TaskRow[]>
  patch(
    actor: Actor,
    id: number,
    input: PatchTask,
    versions?: number[],
    weather?: Weather | null,
  ): Promise<TaskOutcome>
  replace(
    actor: Actor,
    id: number,
    input: CreateTask,
    versions?: number[],
    weather?: Weather | null,
  ): Promise<TaskOutcome>
  remove(actor: Actor, id: number, versions?: number[]): Promise<TaskOutcome>
  restore(actor: Actor, id: number): Promise<TaskOutcome>
}

/**
 * The rules of tasks, on a database or on a transaction of it. `onChange` is called after each write, with all
 * its events where they are at hand; on a transaction, leave it out and wake the stream after the commit. Without
 * `executables` no task can have a job.
 */
export function createTaskService(
  db: Database | Transaction,
  onChange: (events?: readonly StoredEvent[]) => void = () => {},
  executables?: ExecutableTasks,
): TaskService {
  const insertAll = async (tasks: readonly NewTask[]) => {
    const { rows, events } = await insertTasks(db, tasks)
    onChange(events) // They are committed: an exception here would have them made again.
    return rows
  }
  const insert =
    'inTransaction' in db ? async (task: NewTask) => (await insertAll([task]))[0]! : coalesced(insertAll)

  /** Makes a change to the task, which leaves alone what the actor may not change. */
  async function change(
    actor: Actor,
    id: number,
    versions: number[] | undefined,
    run: (guard: WriteCondition) => Promise<TaskOutcome | undefined>,
    where?: string,
  ): Promise<TaskOutcome> {
    authorize(actor, 'task.change')
    const row = found(id, await run({ scope: scopeOf(actor), versions }), where)
    authorize(actor, 'task.change', row)
    if (row.changed) onChange()
    else if (versions && !versions.includes(row.version)) throw stale(row)
    return row
  }

  async function createExecutable(actor: Actor, task: NewTask, job: NewJob): Promise<TaskRow> {
    if (!executables) throw new DomainError('unavailable', 'No jobs are taken here.')
    executables.allow(actor, job)
    const rows = await inTransactionOf(db, (transaction) =>
      executables.createAll(transaction, [{ task, job }]),
    )
    onChange()
    return rows[0]!
  }

  return {
    async create(actor, input, weather = null) {
      authorize(actor, 'task.create')
      const task = { ...newTask(input, userIdOf(actor)), weather }
      return input.job ? await createExecutable(actor, task, input.job) : await insert(task)
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
    async patch(actor, id, input, versions, weather = null) {
      const { title, description, priority, due_at: dueAt, labels, city, position: move } = input
      const { status, reopen } = statusChange(input)
      const changes = {
        title,
        description,
        status,
        reopen,
        priority,
        dueAt,
        labels: labels && unique(labels),
        city,
        weather,
      }
      const moveToo = (guard: WriteCondition, move: Move) =>
        inTransactionOf(db, async (transaction) => {
          const position = await positionFor(transaction, actor, id, move)
          return updateTask(transaction, id, { ...changes, position }, guard)
        })
      return leftToWorker(
        await change(actor, id, versions, (guard) =>
          move ? moveToo(guard, move) : updateTask(db, id, changes, guard),
        ),
        status,
      )
    },
    async replace(actor, id, input, versions, weather = null) {
      const task = { ...complete(input), weather }
      return leftToWorker(
        await change(actor, id, versions, (guard) => updateTask(db, id, task, guard)),
        task.status,
      )
    },
    remove(actor, id, versions) {
      return change(actor, id, versions, (guard) => trashTask(db, id, guard))
    },
    restore(actor, id) {
      return change(actor, id, undefined, (guard) => restoreTask(db, id, guard), 'in the trash')
    },
  }
}

/** The task that a POST body, or a message like it, describes. */
export function newTask(input: CreateTask, userId: number | null): NewTask {
  const task = complete(input)
  if (input.job && task.status !== 'todo') {
    throw validationError([{ path: 'body.status', message: 'must be todo where there is a job' }])
  }
  return { ...task, userId }
}

/** What a POST or PUT body describes, whole. */
function complete(input: CreateTask) {
  return {
    title: input.title,
    description: input.description ?? null,
    status: statusChange(input).status ?? 'todo',
    priority: input.priority ?? 'none',
    dueAt: input.due_at ?? null,
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

/** Refuses a status that was asked for while a worker's business it is. */
function leftToWorker(row: TaskOutcome, status: Status | undefined): TaskOutcome {
  if (status === undefined || status === row.status || !isPending(row.job)) return row
  throw new DomainError(
    'conflict',
    `The job of task ${row.id} is ${row.job!.state}, so its worker sets the status; cancel it first, or leave the status.`,
  )
}

function found<T>(id: number, row: T | undefined, where = 'here'): T {
  if (row === undefined) throw new DomainError('not-found', `There is no task ${id} ${where}.`)
  return row
}

function stale({ id, version }: TaskRow): DomainError {
  return new DomainError('precondition-failed', `Task ${id} is at version ${version} by now; read it again.`)
}
