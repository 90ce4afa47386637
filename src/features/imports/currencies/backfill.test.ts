import { afterEach, beforeEach, expect, test } from 'vitest'
import { cbrXml } from '../../../../test/support/cbr.ts'
import { createTestDatabase, type TestDatabase } from '../../../../test/support/database.ts'
import { eventually } from '../../../../test/support/eventually.ts'
import { logTo } from '../../../../test/support/log.ts'
import { startUpstream, type Upstream } from '../../../../test/support/upstream.ts'
import { openJobQueues } from '../../../platform/queue/index.ts'
import { startBackfill } from './backfill.ts'
import { parseCbrFile } from './cbr-file.ts'
import { saveRates } from './save-rates.ts'

const DAYS = 6
const lines: Record<string, unknown>[] = []
let stack: AsyncDisposableStack
let database: TestDatabase
let upstream: Upstream
/** The requested days, and the maximum number of concurrent requests. */
let requested: string[]
let atOnce: number
/** Days for which the source fails. */
let broken: Set<string>

beforeEach(async () => {
  stack = new AsyncDisposableStack()
  database = stack.use(await createTestDatabase())
  upstream = stack.use(await startUpstream())
  requested = []
  atOnce = 0
  broken = new Set()
  lines.length = 0
  let now = 0
  upstream.answer((request, response) => {
    const day = new URL(request.url!, 'http://localhost').searchParams.get('date_req')!
    requested.push(day)
    atOnce = Math.max(atOnce, ++now)
    setTimeout(() => {
      now--
      if (broken.has(day)) response.writeHead(503).end()
      else response.end(cbrXml(day.replaceAll('/', '.'), [{ code: 'USD', value: '80' }]))
    }, 20)
  })
})
afterEach(() => stack.disposeAsync())

const daysBack = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => {
    const date = new Date(Date.now() - (from + i) * 86_400_000).toISOString().slice(0, 10)
    return date.split('-').reverse().join('/')
  })
const importToday = async () => {
  const [today] = daysBack(0, 0)
  const bytes = cbrXml(today!.replaceAll('/', '.'), [{ code: 'USD', value: '81' }])
  const file = await parseCbrFile(bytes)
  await database.db.transaction((transaction) => saveRates(transaction, file))
}

/** Runs the backfill as a separate process would. */
async function serve(own = stack.use(new AsyncDisposableStack())) {
  const log = logTo(lines)
  const queues = own.use(await openJobQueues({ connectionString: database.url }, log))
  const timing = { pauseMs: 10, retrySeconds: 1, pollSeconds: 0.5 }
  own.use(await startBackfill({ queues, db: database.db, log, url: upstream.url, days: DAYS, timing }))
  return own
}
const points = async () =>
  (await database.rows<{ n: number }>('SELECT count(*) AS n FROM currency_rates'))[0]!.n

test('two processes fetch each day once, one request at a time, the latest first', async () => {
  await importToday()
  await Promise.all([serve(), serve()])
  await eventually(async () => (await points()) === DAYS + 1, 'all days are there', 20_000)
  expect(requested).toEqual(daysBack(1, DAYS))
  expect(atOnce).toBe(1)
  await eventually(() => lines.some(({ days }) => days === DAYS), 'it is logged')
})

test('the backfill resumes after a failure and in another process', async () => {
  await importToday()
  broken.add(daysBack(3, 3)[0]!)
  const first = await serve()
  await eventually(() => requested.length === 3, 'it fails at the third day', 20_000)
  await eventually(() => lines.some(({ msg }) => String(msg).includes('not complete')), 'the log says so')
  expect(await points()).toBe(3)
  await first.disposeAsync()
  broken.clear()
  await serve()
  await eventually(async () => (await points()) === DAYS + 1, 'all days are there', 25_000)
  expect(requested).toEqual([...daysBack(1, 3), ...daysBack(3, DAYS)])
})

test('before the first import the backfill waits and sends no request', async () => {
  await serve()
  await eventually(
    () => lines.some(({ msg }) => String(msg).includes('no rates have been imported')),
    'it waits',
  )
  expect(requested).toEqual([])
  await importToday()
  await eventually(async () => (await points()) === DAYS + 1, 'all days are there', 25_000)
})
