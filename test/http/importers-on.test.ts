import { expect, test } from 'vitest'
import { startTestApp } from '../support/app.ts'
import { cbrFixture, cbrXml, sendXml } from '../support/cbr.ts'
import { eventually } from '../support/eventually.ts'
import { startUpstream } from '../support/upstream.ts'

test('the first run starts with the server, and next_run_at shows the next', async () => {
  await using upstream = await startUpstream()
  await using app = await startTestApp({ TODO_SOURCE_URL: upstream.url, IMPORTS: 'on' })
  await eventually(async () => (await app.fetch('/tasks')).body.length === 20, 'the first import')
  const next = await eventually(
    async () => (await app.fetch('/importers')).body[0].next_run_at as string | null,
    'the next run is enqueued',
  )
  expect(next).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
  const [run] = (await app.fetch('/importers/todos/runs')).body
  expect(run).toMatchObject({ trigger: 'schedule', state: 'succeeded', created_count: 20 })
  const seconds = (Date.parse(next) - Date.parse(run.started_at)) / 1000
  expect(seconds).toBeGreaterThan(295)
  expect(seconds).toBeLessThan(302)
})

test('the server is healthy if the source is unavailable at the start', async () => {
  await using app = await startTestApp({ TODO_SOURCE_URL: 'http://127.0.0.1:1/todos', IMPORTS: 'on' })
  const run = await eventually(async () => {
    const [newest] = (await app.fetch('/importers/todos/runs')).body
    return newest?.state === 'failed' ? newest : undefined
  }, 'the first run has failed')
  expect(run.error).toMatch(/ECONNREFUSED/)
  expect((await app.fetch('/health/ready')).status).toBe(200)
  await eventually(
    async () => (await app.fetch('/importers')).body[0].next_run_at,
    'the next run is enqueued',
  )
  expect(app.logged.filter(({ level }) => Number(level) >= 50)).toEqual([])
})

test('a stop during a scheduled run is quick and marks the run as failed', async () => {
  await using upstream = await startUpstream()
  upstream.answer((_request, response) => response.writeHead(200).flushHeaders())
  const app = await startTestApp({ TODO_SOURCE_URL: upstream.url, IMPORTS: 'on' })
  await eventually(() => upstream.requests > 0, 'the run is fetching')
  const started = performance.now()
  await app[Symbol.asyncDispose]()
  expect(performance.now() - started).toBeLessThan(8_000)
  expect(app.logged.filter(({ msg }) => msg === 'import failed')).toContainEqual(
    expect.objectContaining({ importer: 'todos', error: 'the server stopped' }),
  )
  expect(app.logged.filter(({ level }) => Number(level) >= 50)).toEqual([])
})

test('official rates are imported at the start, and earlier days are backfilled', async () => {
  await using upstream = await startUpstream()
  const requested: (string | null)[] = []
  const listener = sendXml((day) => {
    requested.push(day)
    return day ? cbrXml(day.replaceAll('/', '.'), [{ code: 'USD', value: '80' }]) : cbrFixture
  })
  upstream.answer(listener)
  await using app = await startTestApp({
    IMPORTS: 'on',
    TODO_SOURCE_URL: 'http://127.0.0.1:1/todos',
    CBR_URL: upstream.url,
    CURRENCY_BACKFILL_DAYS: '2',
  })
  await eventually(async () => (await app.fetch('/currencies')).body.length === 5, 'the first import')
  await eventually(() => requested.length === 3, 'two more days', 30_000)
  await eventually(
    async () => (await app.fetch('/currencies/USD/history')).body.length === 3,
    'they are in the history',
  )
  expect(requested[0]).toBeNull()
  expect(app.logged.filter(({ level }) => Number(level) >= 50)).toEqual([])
}, 60_000)
