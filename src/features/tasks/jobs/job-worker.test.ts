import { afterEach, beforeEach, expect, test } from 'vitest'
import { eventually } from '../../../../test/support/eventually.ts'
import { type JobLab, startJobLab } from '../../../../test/support/job-lab.ts'
import { startProxy } from '../../../../test/support/proxy.ts'
import { openDatabase } from '../../../platform/database/database.ts'

let lab: JobLab
beforeEach(async () => {
  lab = await startJobLab()
})
afterEach(() => lab[Symbol.asyncDispose]())

test('no more jobs run at a time than it may, and the next begins when one ends', async () => {
  const ids = await lab.createMany(7, { does: 'wait' })
  const worker = lab.worker({ concurrency: 3 })
  await eventually(() => lab.begun.length === 3, 'three have begun')
  expect(worker.stats).toMatchObject({ concurrency: 3, running: 3 })
  for (const done of [3, 6, 7]) {
    lab.letGo()
    await eventually(() => worker.stats.succeeded === done, `${done} are done`)
    await eventually(() => lab.begun.length === Math.min(7, done + 3), 'others have begun')
  }
  for (const id of ids)
    expect(await lab.row(id)).toMatchObject({ status: 'done', job: { state: 'succeeded' } })
  expect(await lab.tickets()).toBe(0)
  // Each of the seven jobs started once.
  expect(lab.begun).toHaveLength(7)
})

test('what a job returns is its result, cut when it is too large', async () => {
  const [small, large] = [
    await lab.create({ value: { a: ['ж', null] } }),
    await lab.create({ value: 'x', times: 50_000 }),
  ]
  lab.worker()
  expect((await lab.is(small, 'succeeded')).job.result).toEqual({ a: ['ж', null] })
  const { result } = (await lab.is(large, 'succeeded')).job
  expect(result).toEqual({ truncated: true, text: expect.stringMatching(/^"x{8000,}$/) })
})

test('a failure that another attempt would repeat is the last', async () => {
  const id = await lab.create({ does: 'give up' })
  lab.worker()
  expect(await lab.is(id, 'failed')).toMatchObject({
    status: 'failed',
    job: { attempts: 1, error: 'for good' },
  })
  expect(await lab.tickets()).toBe(0)
})

test('one that is cancelled by another process stops soon, heeding or not', async () => {
  const worker = lab.worker()
  const ids = [await lab.create({ does: 'wait' }), await lab.create({ does: 'deaf' })]
  await eventually(() => worker.stats.running === 2, 'both run')
  // Without a word to the worker.
  await lab.database.rows(
    `UPDATE tasks SET status = 'failed', job = job || '{"state": "failed", "error": "cancelled"}'`,
  )
  await lab.database.rows(`UPDATE task_runs SET state = 'cancelled', finished_at = now()`)
  const cancelled = performance.now()
  await eventually(() => worker.stats.running === 0, 'both have stopped')
  expect(performance.now() - cancelled).toBeLessThan(2_500)
  expect(lab.begun.map(({ context }) => context.signal.aborted)).toEqual([true, true])
  await eventually(async () => (await lab.tickets()) === 0, 'their tickets are gone')
  for (const id of ids) expect(await lab.row(id)).toMatchObject({ version: 2, job: { error: 'cancelled' } })
})

test('a worker that ends lets jobs finish, and gives back the others without an attempt spent', async () => {
  const worker = lab.worker()
  const [quick, slow] = [await lab.create({ does: 'wait' }), await lab.create({ does: 'deaf' }, 1)]
  await eventually(() => worker.stats.running === 2, 'both run')
  const late = await lab.create({ value: 'late' })
  const closing = performance.now()
  const closed = worker[Symbol.asyncDispose]()
  await eventually(() => lab.begun.length === 2, 'nothing more has begun')
  lab.letGo()
  await closed
  expect(performance.now() - closing).toBeLessThan(5_000)
  for (const id of [quick, slow]) expect((await lab.row(id)).job.state).toBe('succeeded')
  expect((await lab.row(late)).job.state).toBe('queued')
})

test('what does not end in time is given back, and done by the next worker', async () => {
  const first = lab.worker({ graceMs: 300 })
  const id = await lab.create({ does: 'deaf' }, 1)
  await lab.is(id, 'running')
  const closing = performance.now()
  await first[Symbol.asyncDispose]()
  expect(performance.now() - closing).toBeGreaterThan(290)
  expect(performance.now() - closing).toBeLessThan(2_000)
  expect(await lab.row(id)).toMatchObject({ status: 'todo', job: { state: 'queued', attempts: 0, runs: 1 } })
  expect(await lab.runs(id)).toMatchObject([{ attempt: 1, state: 'released' }])
  lab.letGo() // Its end, which nobody waits for any more, changes nothing.
  lab.worker()
  await eventually(() => lab.begun.length === 2, 'it has begun again')
  lab.letGo()
  expect(await lab.is(id, 'succeeded')).toMatchObject({ status: 'done', job: { attempts: 1, runs: 2 } })
})

test('a run whose worker gives no more sign of life is taken over, and its own end then comes too late', async () => {
  const dead = lab.worker({ queue: { ...lab.queue, renew: async () => {} } })
  const id = await lab.create({ does: 'deaf', value: 'late' })
  await lab.is(id, 'running')
  await lab.database.rows(
    `UPDATE pgboss.job SET heartbeat_on = now() - interval '1 hour' WHERE name = 'tasks'`,
  )
  await eventually(() => lab.begun.length === 2, 'it has begun again', 20_000)
  expect(lab.begun[1]!.context).toMatchObject({ attempt: 2 })
  expect(await lab.row(id)).toMatchObject({
    status: 'in_progress',
    job: { state: 'running', attempts: 2, runs: 2 },
  })
  expect(await lab.runs(id)).toMatchObject([
    { number: 1, state: 'lost', error: 'its worker gave no more sign of life' },
    { number: 2, state: 'running' },
  ])
  lab.letGo()
  await lab.is(id, 'succeeded')
  await eventually(() => dead.stats.running === 0, 'both have ended')
  expect(await lab.runs(id)).toMatchObject([{ state: 'lost' }, { state: 'succeeded' }])
  expect(await lab.tickets()).toBe(0)
})

test('a job whose last attempt is lost has failed', async () => {
  lab.worker({ queue: { ...lab.queue, renew: async () => {} } })
  const id = await lab.create({ does: 'deaf' }, 1)
  await lab.is(id, 'running')
  await lab.database.rows(
    `UPDATE pgboss.job SET heartbeat_on = now() - interval '1 hour' WHERE name = 'tasks'`,
  )
  expect(await lab.is(id, 'failed', 20_000)).toMatchObject({
    status: 'failed',
    job: { attempts: 1, error: 'its worker gave no more sign of life' },
  })
  expect(await lab.runs(id)).toMatchObject([{ state: 'lost' }])
  expect(await lab.tickets()).toBe(0)
})

test('while the database is away jobs go on, and what has ended is written when it is back', async () => {
  await using proxy = await startProxy(lab.database.url, 5432)
  await using db = openDatabase({ connectionString: proxy.url }, () => {})
  const ids = [...(await lab.createMany(3, { does: 'wait' })), await lab.create({ does: 'wait' }, 2)]
  const worker = lab.worker({ db })
  await eventually(() => lab.begun.length === 4, 'all run')
  await proxy.refuse()
  lab.letGo()
  await eventually(() => worker.stats.running === 0, 'all have ended')
  for (const id of ids) expect((await lab.row(id)).job.state).toBe('running')
  await eventually(
    () => lab.logged.some(({ msg }) => /jobs wait for the database/.test(String(msg))),
    'it says so',
  )
  await proxy.restore()
  for (const id of ids) await lab.is(id, 'succeeded')
  expect(lab.logged.filter(({ level }) => Number(level) >= 50)).toEqual([])
  for (const id of ids) expect(await lab.runs(id)).toMatchObject([{ number: 1, state: 'succeeded' }])
  await worker[Symbol.asyncDispose]()
})
