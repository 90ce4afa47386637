import { afterEach, beforeEach, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { eventually } from '../../../test/support/eventually.ts'
import { logTo } from '../../../test/support/log.ts'
import { type Database, openDatabase } from '../../platform/database/database.ts'
import { listImportRuns } from './import-run-store.ts'
import type { ImportCounts, Importer } from './importer.ts'
import { createImportRunner, type ImportRunner } from './runner.ts'

/** Creates a runner with its own connections, as a separate process has. */
interface Process extends AsyncDisposable {
  db: Database
  runner: ImportRunner
  changes: number
}

let database: TestDatabase
let processes: Process[]
beforeEach(async () => {
  database = await createTestDatabase()
  processes = []
})
afterEach(async () => {
  for (const one of processes) await one[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})

function startProcess(name: string): Process {
  const url = `${database.url}${database.url.includes('?') ? '&' : '?'}application_name=${name}`
  const db = openDatabase({ connectionString: url }, () => {})
  const runner = createImportRunner({ db, log: logTo([]), onChange: () => void process.changes++ })
  const process: Process = {
    db,
    runner,
    changes: 0,
    async [Symbol.asyncDispose]() {
      await runner[Symbol.asyncDispose]()
      await db[Symbol.asyncDispose]()
    },
  }
  processes.push(process)
  return process
}

const counts: ImportCounts = { created: 1, updated: 2, skipped: 3 }

/** An importer whose fetch waits until it is released. */
class Gated implements Importer {
  readonly name = 'todos'
  readonly source = 'http://example.com/'
  readonly intervalSeconds = 60
  active = 0
  most = 0
  fetched = 0
  readonly #gate = Promise.withResolvers<void>()
  save: Awaited<ReturnType<Importer['fetch']>> = async () => counts

  letGo(): this {
    this.#gate.resolve()
    return this
  }

  fail(error: Error): this {
    this.#gate.promise.catch(() => {})
    this.#gate.reject(error)
    return this
  }

  async fetch(signal: AbortSignal) {
    this.active++
    this.fetched++
    this.most = Math.max(this.most, this.active)
    const aborted = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    })
    try {
      await Promise.race([this.#gate.promise, aborted])
      return this.save
    } finally {
      this.active--
    }
  }
}

const runs = () => listImportRuns(database.db, 'todos', 100)
const events = () =>
  database.rows<{ type: string; data: object }>('SELECT type, data FROM events ORDER BY id')
const isFetching = (importer: Gated) => eventually(() => importer.active > 0, 'the run is fetching')

test('a run records its counts, publishes its event and calls onChange', async () => {
  const one = startProcess('one')
  const run = await one.runner.run(new Gated().letGo(), 'manual')
  expect(run).toMatchObject({
    importer: 'todos',
    trigger: 'manual',
    state: 'succeeded',
    created_count: 1,
    updated_count: 2,
    skipped_count: 3,
    error: null,
  })
  expect(run!.finished_at! >= run!.started_at).toBe(true)
  expect(await runs()).toEqual([run])
  const data = {
    created_count: 1,
    updated_count: 2,
    skipped_count: 3,
    importer: 'todos',
    run_id: run!.run_id,
  }
  expect(await events()).toEqual([{ type: 'background_task_completed', data }])
  expect(one.changes).toBe(1)
})

test('while another process runs, a scheduled run is skipped and a manual run waits', async () => {
  const [one, two] = [startProcess('one'), startProcess('two')]
  const importer = new Gated()
  const first = one.runner.run(importer, 'schedule')
  await isFetching(importer)
  expect(await two.runner.run(importer, 'schedule')).toBeUndefined()
  expect(await one.runner.run(importer, 'schedule')).toBeUndefined()
  const byHand = two.runner.run(importer, 'manual')
  const byHandHere = one.runner.run(importer, 'manual')
  expect(await runs()).toHaveLength(1)
  importer.letGo()
  expect(await first).toMatchObject({ state: 'succeeded', trigger: 'schedule' })
  expect(await byHand).toMatchObject({ state: 'succeeded', trigger: 'manual' })
  expect(await byHandHere).toMatchObject({ state: 'succeeded', trigger: 'manual' })
  expect(importer.most).toBe(1)
  expect(importer.fetched).toBe(3)
})

test('different importers run at the same time', async () => {
  const one = startProcess('one')
  const slow = new Gated()
  const first = one.runner.run(slow, 'manual')
  await isFetching(slow)
  const other = Object.assign(new Gated().letGo(), { name: 'others' })
  expect(await one.runner.run(other, 'schedule')).toMatchObject({ state: 'succeeded', importer: 'others' })
  slow.letGo()
  await first
})

test('a process that dies during a run leaves no lock, and the next run marks it as failed', async () => {
  const [dead, next] = [startProcess('dead'), startProcess('next')]
  const cut = new Gated()
  const lost = dead.runner.run(cut, 'schedule')
  await isFetching(cut)
  await database.rows(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'dead'`,
  )
  const run = await next.runner.run(new Gated().letGo(), 'manual')
  expect(run!.state).toBe('succeeded')
  expect((await runs())[1]).toMatchObject({ state: 'failed', error: 'interrupted: the process ended' })

  // Only its connections died. The data it has fetched since then must not be saved.
  cut.save = async (transaction) => {
    await transaction.query({ text: `INSERT INTO tasks (title) VALUES ('too late')` })
    return counts
  }
  cut.letGo()
  expect(await lost).toMatchObject({ state: 'failed', error: 'interrupted: the process ended' })
  expect((await events()).filter(({ type }) => type === 'background_task_failed')).toHaveLength(1)
  expect(await database.rows('SELECT 1 FROM tasks')).toEqual([])
  expect((await events()).filter(({ type }) => type === 'background_task_completed')).toHaveLength(1)
})

test('closeCutOff marks the run of a killed process as failed once, and no run in progress', async () => {
  const [one, two] = [startProcess('one'), startProcess('two')]
  const importer = new Gated()
  const first = one.runner.run(importer, 'manual')
  await isFetching(importer)
  await two.runner.closeCutOff(importer)
  expect(two.changes).toBe(0)
  importer.letGo()
  expect(await first).toMatchObject({ state: 'succeeded' })
  await two.runner.closeCutOff(importer)
  expect(two.changes).toBe(0)
  await database.rows(`INSERT INTO import_runs (importer, trigger) VALUES ('todos', 'schedule')`)
  await two.runner.closeCutOff(importer)
  await two.runner.closeCutOff(importer)
  // No lock is left that would cause the first run to be skipped.
  const locks = `SELECT FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND datname = current_database() AND application_name = 'two'`
  expect(await database.rows(locks)).toEqual([])
  expect(two.changes).toBe(1)
  expect((await runs())[0]).toMatchObject({ state: 'failed', error: 'interrupted: the process ended' })
  expect((await events()).map(({ type }) => type)).toEqual([
    'background_task_completed',
    'background_task_failed',
  ])
})

test('a failure to save writes no data, is recorded and published, and the next run works', async () => {
  const one = startProcess('one')
  const broken = new Gated().letGo()
  broken.save = async (transaction) => {
    await transaction.query({ text: `INSERT INTO tasks (title) VALUES ('half')` })
    throw new Error('the other half is missing')
  }
  const run = await one.runner.run(broken, 'schedule')
  expect(run).toMatchObject({ state: 'failed', error: 'the other half is missing', created_count: 0 })
  expect(await database.rows('SELECT 1 FROM tasks')).toEqual([])
  const data = { importer: 'todos', run_id: run!.run_id, error: 'the other half is missing' }
  expect(await events()).toEqual([{ type: 'background_task_failed', data }])
  expect(one.changes).toBe(1)
  expect(await one.runner.run(new Gated().letGo(), 'schedule')).toMatchObject({ state: 'succeeded' })
})

test('a failure to fetch is recorded with the full reason', async () => {
  const one = startProcess('one')
  const error = new Error('status 500 instead of 200', { cause: new Error('because') })
  const run = await one.runner.run(new Gated().fail(error), 'manual')
  expect(run).toMatchObject({ state: 'failed', error: 'status 500 instead of 200: because' })
})

test('a stop during a run is recorded and does not wait for the source', async () => {
  const one = startProcess('one')
  const importer = new Gated()
  const running = one.runner.run(importer, 'schedule')
  await isFetching(importer)
  await one.runner[Symbol.asyncDispose]()
  expect(await running).toMatchObject({ state: 'failed', error: 'the server stopped' })
  expect(await runs()).toMatchObject([{ state: 'failed', error: 'the server stopped' }])
})

test('many concurrent manual runs all finish and leave connections to others', async () => {
  const one = startProcess('one')
  const importer = new Gated()
  const all = Promise.allSettled(Array.from({ length: 25 }, () => one.runner.run(importer, 'manual')))
  await isFetching(importer)
  const started = performance.now()
  await one.db.transaction((transaction) => transaction.query({ text: 'SELECT 1' }))
  expect(performance.now() - started).toBeLessThan(2_000)
  importer.letGo()
  const results = await all
  expect(results.filter(({ status }) => status === 'rejected')).toEqual([])
  expect((await runs()).every(({ state }) => state === 'succeeded')).toBe(true)
  expect(importer.most).toBe(1)
})

test('history older than thirty days is deleted, of this importer only', async () => {
  const one = startProcess('one')
  await one.runner.run(new Gated().letGo(), 'manual')
  await one.runner.run(Object.assign(new Gated().letGo(), { name: 'others' }), 'manual')
  await database.rows(`UPDATE import_runs SET started_at = now() - interval '31 days'`)
  const kept = await one.runner.run(new Gated().letGo(), 'manual')
  expect((await runs()).map(({ run_id }) => run_id)).toEqual([kept!.run_id])
  expect(await listImportRuns(database.db, 'others', 10)).toHaveLength(1)
})

test('start returns at once, and until the run has finished every process returns its id', async () => {
  const [one, other] = [startProcess('one'), startProcess('other')]
  const importer = new Gated()
  const id = await one.runner.start(importer)
  expect(await Promise.all([one, other].map(({ runner }) => runner.start(importer)))).toEqual([id, id])
  expect(await listImportRuns(database.db, 'todos', 9)).toMatchObject([{ run_id: id, state: 'running' }])
  importer.letGo()
  const state = async () => (await listImportRuns(database.db, 'todos', 1))[0]!.state
  await eventually(async () => (await state()) === 'succeeded', 'it is over')
  // The lock of the previous run may not be released yet.
  expect(await other.runner.start(importer)).toBe(id + 1)
  expect(importer.most).toBe(1)
})

test('start rejects if the run cannot begin', async () => {
  const unreachable = openDatabase({ connectionString: 'postgresql://127.0.0.1:1/none' }, () => {})
  await using runner = createImportRunner({ db: unreachable, log: logTo([]), onChange: () => {} })
  await expect(runner.start(new Gated())).rejects.toThrow(/database is not available/)
})
