import { operator } from '../../src/core/actor.ts'
import { createTaskService, type NewTask, newTask } from '../../src/features/tasks/index.ts'
import { createExecutables, type Executables } from '../../src/features/tasks/jobs/executable-tasks.ts'
import type { JobContext, JobType } from '../../src/features/tasks/jobs/job-type.ts'
import { PermanentFailure } from '../../src/features/tasks/jobs/job-type.ts'
import { JobWorker, type JobWorkerDependencies } from '../../src/features/tasks/jobs/job-worker.ts'
import { openTaskQueue, type TaskQueue } from '../../src/features/tasks/jobs/task-queue.ts'
import { openJobQueues } from '../../src/platform/queue/index.ts'
import { createTestDatabase, type TestDatabase } from './database.ts'
import { eventually } from './eventually.ts'
import { logTo } from './log.ts'

/** What a job of a lab does. */
export interface Probe {
  /** `wait`: until it is let go, or told to stop; `deaf`: until it is let go. */
  does?: 'return' | 'throw' | 'give up' | 'wait' | 'deaf'
  value?: unknown
  /** How often text is repeated as the value. */
  times?: number
}

export interface JobRow {
  status: string
  version: number
  job: {
    state: string
    attempts: number
    result: unknown
    error: string | null
    runs: number
    ticket: string
  }
}

export interface JobLab extends AsyncDisposable {
  database: TestDatabase
  queue: TaskQueue
  executables: Executables
  logged: Record<string, unknown>[]
  /** Attempts that have begun, in their order. */
  begun: { probe: Probe; context: JobContext }[]
  type: JobType<Probe>
  create(probe: Probe, maxAttempts?: number): Promise<number>
  createMany(count: number, probe: Probe): Promise<number[]>
  /** A worker, closed in the end; with other dependencies where given. */
  worker(changes?: Partial<JobWorkerDependencies>): JobWorker
  /** Ends the waiting of all jobs that wait now. */
  letGo(): void
  row(id: number): Promise<JobRow>
  /** Waits for a state of the job. */
  is(id: number, state: string, milliseconds?: number): Promise<JobRow>
  runs(id: number): Promise<{ number: number; attempt: number; state: string; error: string | null }[]>
  /** Tickets in the queue, whatever their state. */
  tickets(): Promise<number>
}

/** Jobs of one type that does as it is told, on a database of their own. */
export async function startJobLab(): Promise<JobLab> {
  const stack = new AsyncDisposableStack()
  const database = stack.use(await createTestDatabase())
  const logged: Record<string, unknown>[] = []
  const log = logTo(logged)
  const queues = stack.use(await openJobQueues({ connectionString: database.url }, log))
  const queue = await openTaskQueue(queues)
  const waiting = new Set<() => void>()
  const begun: JobLab['begun'] = []
  const type: JobType<Probe> = {
    name: 'probe',
    input: { type: 'object' },
    timeoutMs: () => 60_000,
    async run(probe, context) {
      begun.push({ probe, context })
      if (probe.does === 'throw') throw new Error('as told')
      if (probe.does === 'give up') throw new PermanentFailure('for good')
      if (probe.does === 'wait' || probe.does === 'deaf') {
        const { promise, resolve, reject } = Promise.withResolvers<void>()
        waiting.add(resolve)
        if (probe.does === 'wait')
          context.signal.addEventListener('abort', () => reject(context.signal.reason))
        await promise
      }
      return probe.times ? String(probe.value).repeat(probe.times) : (probe.value ?? null)
    },
  }
  const executables = createExecutables([type], queue)
  const task = newTask({ title: 'Probe' }, null)
  const createAll = async (tasks: NewTask[]) => {
    const rows = await createTaskService(database.db, { executables }).createAll({ actor: operator }, tasks)
    return rows.map(({ id }) => id)
  }
  const row = async (id: number) =>
    (await database.rows<JobRow>('SELECT status, version, job FROM tasks WHERE id = $1', [id]))[0]!
  const lab: JobLab = {
    database,
    queue,
    executables,
    logged,
    begun,
    type,
    async create(probe, maxAttempts) {
      const job = { type: 'probe', input: probe, ...(maxAttempts && { max_attempts: maxAttempts }) }
      return (await createAll([{ ...task, job }]))[0]!
    },
    async createMany(count, probe) {
      return createAll(
        Array.from({ length: count }, () => ({ ...task, job: { type: 'probe', input: probe } })),
      )
    },
    worker(changes = {}) {
      const deps = { db: database.db, queue, types: [type], concurrency: 4, log, onChange: () => {} }
      const worker = new JobWorker({ ...deps, ...changes })
      stack.defer(() => {
        lab.letGo()
        return worker[Symbol.asyncDispose]()
      })
      return worker
    },
    letGo() {
      for (const resolve of waiting) resolve()
      waiting.clear()
    },
    row,
    is: (id, state, milliseconds) =>
      eventually(
        async () => {
          const found = await row(id)
          return found.job.state === state && found
        },
        `the job of task ${id} is ${state}`,
        milliseconds,
      ) as Promise<JobRow>,
    runs: (id) =>
      database.rows(
        'SELECT number, attempt, state, error FROM task_runs WHERE task_id = $1 ORDER BY number',
        [id],
      ),
    async tickets() {
      const rows = await database.rows<{ count: number }>(
        "SELECT count(*) AS count FROM pgboss.job WHERE name = 'tasks'",
      )
      return rows[0]!.count
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
  return lab
}
