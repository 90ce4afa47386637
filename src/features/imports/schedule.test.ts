import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { eventually } from '../../../test/support/eventually.ts'
import { logTo } from '../../../test/support/log.ts'
import { type JobQueues, openJobQueues } from '../../platform/queue/index.ts'
import type { Importer } from './importer.ts'
import { createImportRunner, type ImportRunner } from './runner.ts'
import { nextRun, startImportSchedule } from './schedule.ts'

const log = logTo([])
let database: TestDatabase
let stack: AsyncDisposableStack
let fetched: number
let importer: Importer

beforeEach(async () => {
  database = await createTestDatabase()
  stack = new AsyncDisposableStack()
  stack.use(database)
  fetched = 0
  importer = {
    name: 'todos',
    source: 'http://example.com/',
    intervalSeconds: 60,
    fetch: async () => {
      fetched++
      return async () => ({ created: 0, updated: 0, skipped: 0 })
    },
  }
})
afterEach(() => stack.disposeAsync())

let current: JobQueues

async function openQueues(): Promise<JobQueues> {
  current = stack.use(await openJobQueues({ connectionString: database.url }, log))
  return current
}

async function schedule(runner?: Pick<ImportRunner, 'run'>): Promise<AsyncDisposable> {
  const own = stack.use(createImportRunner({ db: database.db, log, onChange: () => {} }))
  const started = await startImportSchedule({
    queues: await openQueues(),
    runner: { ...own, ...runner },
    importers: [importer],
    log,
  })
  return stack.use(started)
}

interface Job {
  id: string
  state: string
  /** Seconds since 1970. */
  due: number
}
const jobs = () =>
  database.rows<Job>(
    `SELECT id, state, extract(epoch FROM start_after)::float AS due
     FROM pgboss.job WHERE name = 'import-todos' ORDER BY start_after`,
  )
const waiting = async () => (await jobs()).filter(({ state }) => state === 'created')
/** Waits until `ran` runs have ended and returns the next. */
const enqueued = (ran = 1) =>
  eventually(async () => {
    const all = await jobs()
    return all.length > ran ? all.find(({ state }) => state === 'created') : undefined
  }, 'the next run is enqueued')

/** Makes the next run due since `seconds` ago. */
async function makeDue(seconds = 0): Promise<Job> {
  const [job] = await database.rows<Job>(
    `UPDATE pgboss.job SET start_after = now() - make_interval(secs => $1)
     WHERE name = 'import-todos' AND state = 'created'
     RETURNING id, state, extract(epoch FROM start_after)::float AS due`,
    [seconds],
  )
  return job!
}

test('an importer runs at the start and then once per interval, on the grid of the first run', async () => {
  await schedule()
  const next = await enqueued()
  expect(fetched).toBe(1)
  const [first] = await jobs()
  expect(next.due - first!.due).toBeCloseTo(60, 1)
  expect((await nextRun(current, importer))!.getTime() / 1000).toBeCloseTo(next.due, 2)

  // A delay of less than an interval does not move the grid.
  const second = await makeDue(7)
  const third = await enqueued(2)
  expect(fetched).toBe(2)
  expect(third.due - second.due).toBeCloseTo(60, 1)

  // After a longer delay the missed times are skipped.
  const late = await makeDue(150)
  const after = await enqueued(3)
  expect(fetched).toBe(3)
  expect(after.due - late.due).toBeCloseTo(180, 1)
})

test('two schedulers on one database start a due run once', async () => {
  await schedule()
  await enqueued()
  await schedule()
  await enqueued(2) // The start of the second scheduler enqueues a run too.
  const before = fetched
  expect(await waiting()).toHaveLength(1)
  const due = await makeDue()
  await enqueued(3)
  expect(fetched).toBe(before + 1)
  expect(await waiting()).toHaveLength(1)
  await eventually(
    async () => (await jobs()).find(({ id }) => id === due.id)?.state === 'completed',
    'its end',
  )
})

test('a new start runs at once and enqueues with the new interval', async () => {
  importer.intervalSeconds = 3600
  const first = await schedule()
  const old = await enqueued()
  await first[Symbol.asyncDispose]()
  importer.intervalSeconds = 5
  await schedule()
  const next = await enqueued(2)
  expect(fetched).toBe(2)
  expect(next.id).not.toBe(old.id)
  expect((await nextRun(current, importer))!.getTime() - Date.now()).toBeLessThanOrEqual(5_000)
  expect(await waiting()).toHaveLength(1)
})

test('a missing next run is enqueued again', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  stack.defer(() => void vi.useRealTimers())
  await schedule()
  await enqueued()
  await database.rows(`DELETE FROM pgboss.job WHERE name = 'import-todos'`)
  expect(await nextRun(current, importer)).toBeUndefined()
  vi.advanceTimersByTime(60_000)
  const next = await eventually(() => nextRun(current, importer), 'it is enqueued again')
  expect(next.getTime() - Date.now()).toBeGreaterThan(50_000)
  vi.advanceTimersByTime(180_000)
  await eventually(async () => (await waiting()).length === 1, 'and only once')
})

test('a run that cannot begin is followed by the next', async () => {
  let tries = 0
  await schedule({
    run: async () => {
      tries++
      throw new Error('the database is unavailable')
    },
  })
  await enqueued()
  expect(tries).toBe(1)
  await makeDue()
  await enqueued(2)
  expect(tries).toBe(2)
})

test('after its disposal the schedule starts nothing', async () => {
  const started = await schedule()
  await enqueued()
  await started[Symbol.asyncDispose]()
  await makeDue()
  const other = await openQueues()
  // The job is still in the queue: another worker can fetch it.
  const [job] = await other.get('import-todos').fetch({ batchSize: 1 })
  expect(job).toBeDefined()
  expect(fetched).toBe(1)
})
