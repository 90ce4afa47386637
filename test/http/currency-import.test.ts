import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../support/app.ts'
import { cbrFixture, cbrXml, fullFile, sendXml } from '../support/cbr.ts'
import { eventually } from '../support/eventually.ts'
import { listen } from '../support/listener.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'

let app: TestApp
let upstream: Upstream
beforeAll(async () => {
  upstream = await startUpstream()
  app = await startTestApp({ CBR_URL: upstream.url })
})
afterAll(async () => {
  await app[Symbol.asyncDispose]()
  await upstream[Symbol.asyncDispose]()
})
beforeEach(() => upstream.answer(sendXml(cbrFixture)))

const start = () => app.fetch('/tasks/run', { method: 'POST' })
const run = () => app.fetch('/importers/currencies/run', { method: 'POST' })
const runs = async () => (await app.fetch('/importers/currencies/runs')).body
const get = async (code: string) => (await app.fetch(`/currencies/${code}`)).body
const everything = () =>
  app.database.rows(
    `SELECT 'c' AS t, c::text FROM currencies c UNION ALL SELECT 'r', r::text FROM currency_rates r
     UNION ALL SELECT 'i', i::text FROM imported_currencies i ORDER BY 1, 2`,
  )

test('POST /tasks/run starts the import and responds at once; the rates exist when the run has finished', async () => {
  let answer = () => {}
  upstream.answer((request, response) => {
    answer = () => sendXml(cbrFixture)(request, response)
  })
  const { status, body } = await start()
  expect([status, body]).toEqual([202, { status: 'started', run_id: expect.any(Number) }])
  await eventually(() => upstream.requests === 1, 'the source is requested')
  // A second start during the run returns the same run.
  expect(await start()).toMatchObject({ status: 202, body })
  expect(await runs()).toMatchObject([{ run_id: body.run_id, state: 'running', trigger: 'manual' }])
  answer()
  const [done] = await eventually(async () => {
    const all = await runs()
    return all[0].state === 'succeeded' && all
  }, 'it is done')
  expect(done).toMatchObject({ run_id: body.run_id, created_count: 5, updated_count: 0, skipped_count: 0 })
  expect((await app.fetch('/currencies')).body).toEqual(
    [
      ['AMD', 0.208719, 100, 'Армянских драмов'],
      ['GBP', 106.718, 1, 'Фунт стерлингов & ёлочка'],
      ['USD', 79.7296, 1, 'Доллар США'],
      ['VND', 0.00316745, 10_000, 'Донгов'],
      ['XDR', 108.9895, 1, 'СДР (специальные права заимствования)'],
    ].map(([currency, rate, nominal, name]) => ({
      id: expect.any(String),
      currency,
      rate,
      nominal,
      name,
      timestamp: '2025-12-13T00:00:00.000000Z',
      source: 'cbr',
    })),
  )
})

test('an unchanged file changes nothing and publishes nothing, a manual rate stays', async () => {
  const { body: byHand } = await app.send('PATCH', '/currencies/USD', { rate: 81.5 })
  const before = await everything()
  const { events } = await listen(`${app.url.replace('http', 'ws')}/ws`)
  expect((await run()).body).toMatchObject({ created_count: 0, updated_count: 0, skipped_count: 5 })
  await eventually(() => events.length === 1, 'the end of the run is published')
  expect(events[0]).toMatchObject({ type: 'background_task_completed', data: { skipped_count: 5 } })
  expect(await everything()).toEqual(before)
  expect(await get('USD')).toEqual(byHand)
})

test('a new day replaces all rates, manual ones too, and publishes each', async () => {
  await app.send('PATCH', '/currencies/VND', { name: 'Донг' })
  await app.fetch('/currencies/XDR', { method: 'DELETE' })
  const { events } = await listen(`${app.url.replace('http', 'ws')}/ws/currencies`)
  const quotes = [
    { code: 'USD', value: '80,1', name: 'Доллар США' },
    { code: 'VND', value: '32,0001', nominal: 10_000, name: 'Донгов' },
    { code: 'XDR', value: '109' },
    { code: 'EUR', value: '94,0001', name: 'Евро' },
  ]
  upstream.answer(sendXml(cbrXml('16.12.2025', quotes)))
  expect((await run()).body).toMatchObject({ created_count: 1, updated_count: 2, skipped_count: 1 })
  await eventually(() => events.length === 3, 'all are published')
  const timestamp = '2025-12-16T00:00:00.000000Z'
  expect(await get('USD')).toMatchObject({ rate: 80.1, source: 'cbr', timestamp })
  // A name set manually stays, and a deleted currency is not created again.
  expect(await get('VND')).toMatchObject({ rate: 0.00320001, name: 'Донг', timestamp })
  expect((await app.fetch('/currencies/XDR')).status).toBe(404)
  expect(await get('GBP')).toMatchObject({ timestamp: '2025-12-13T00:00:00.000000Z' })
  const published = events.map(({ type, data }) => [type, (data as { currency?: object }).currency])
  expect(published).toEqual([
    ['currency_created', await get('EUR')],
    ['currency_updated', await get('USD')],
    ['currency_updated', await get('VND')],
  ])
  const { body: history } = await app.fetch('/currencies/USD/history')
  expect(history).toEqual([
    { timestamp: '2025-12-13T00:00:00.000000Z', rate: 79.7296, source: 'cbr' },
    { timestamp, rate: 80.1, source: 'cbr' },
    { timestamp: expect.any(String), rate: 81.5, source: 'manual' },
  ])
})

const faults: [string, Buffer | string, RegExp][] = [
  ['what is no XML', '[1, 2', /cannot be read as XML/],
  ['a file that is cut off', fullFile('17.12.2025').subarray(0, -40), /cannot be read as XML/],
  ['one bad currency of many', cbrXml('17.12.2025', bad()), /^CHF has no valid Value$/],
  [
    'an entity bomb',
    '<!DOCTYPE a [<!ENTITY a "x">]><ValCurs Date="17.12.2025"/>',
    /document type definition/,
  ],
  ['a file far too large', Buffer.alloc(17 * 2 ** 20, ' '), /^more than \d+ bytes$/],
]
function bad() {
  return [
    { code: 'USD', value: '1' },
    { code: 'CHF', value: '-1' },
  ]
}

test.each(faults)(
  '%s makes a run fail with its reason and changes nothing else',
  async (_what, body, reason) => {
    const before = await everything()
    upstream.answer((_request, response) => response.writeHead(200).end(body))
    const { status, body: problem } = await run()
    expect([status, problem.title]).toEqual([502, 'Bad Gateway'])
    const [newest] = await runs()
    expect(newest).toMatchObject({ state: 'failed', created_count: 0, error: expect.stringMatching(reason) })
    expect(await everything()).toEqual(before)
    expect((await app.fetch('/health')).status).toBe(200)
  },
)

test('a started run that fails publishes an event, and the next one works', async () => {
  const { events } = await listen(`${app.url.replace('http', 'ws')}/ws/tasks`)
  upstream.answer((_request, response) => response.writeHead(503).end())
  const { body } = await start()
  await eventually(() => events.length === 1, 'the failure is published')
  expect(events[0]).toMatchObject({
    type: 'background_task_failed',
    data: { importer: 'currencies', run_id: body.run_id, error: 'status 503 instead of 200' },
  })
  upstream.answer(sendXml(fullFile('18.12.2025')))
  expect((await run()).body).toMatchObject({ state: 'succeeded', created_count: 34 })
})

test('a server that stops during a started run marks it as failed', async () => {
  await using silent = await startUpstream()
  silent.answer((_request, response) => response.writeHead(200).flushHeaders())
  const other = await startTestApp({ CBR_URL: silent.url })
  expect((await other.fetch('/tasks/run', { method: 'POST' })).status).toBe(202)
  await eventually(() => silent.requests === 1, 'the source is requested')
  const started = performance.now()
  await other[Symbol.asyncDispose]()
  expect(performance.now() - started).toBeLessThan(8_000)
  expect(other.logged).toContainEqual(
    expect.objectContaining({ msg: 'import failed', error: 'the server stopped' }),
  )
})
