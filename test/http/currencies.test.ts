import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../support/app.ts'
import { eventually } from '../support/eventually.ts'
import { listen } from '../support/listener.ts'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app[Symbol.asyncDispose]())

const post = (body: object, headers = {}) => app.send('POST', '/currencies', body, headers)
const patch = (key: string, body: object, headers = {}) =>
  app.send('PATCH', `/currencies/${key}`, body, headers)
const count = async (what: string) =>
  (await app.database.rows<{ n: number }>(`SELECT count(*) AS n FROM ${what}`))[0]!.n
/** The body as it is sent, since JSON.parse makes doubles of its numbers. */
const text = async (path: string) => (await fetch(app.url + path)).text()

test('while there are no rates at all, 404 says where the reason is told', async () => {
  const detail = 'There are no rates yet. Import them first; GET /importers shows when that happens.'
  for (const path of ['USD', 'USD/history', 'USD/series', 'convert?from=USD&to=RUB&amount=1'])
    expect(await app.fetch(`/currencies/${path}`)).toMatchObject({ status: 404, body: { detail } })
  expect((await app.fetch('/importers/currencies/runs')).status).toBe(200)
})

test('a currency is created by hand and read by its code, in any letter case, and by its id', async () => {
  const { status, headers, body } = await post({
    currency: 'usd',
    rate: 82.9977,
    name: ' Доллар США ',
    nominal: 1,
  })
  expect(status).toBe(201)
  expect(body).toEqual({
    id: expect.stringMatching(/^[\da-f-]{36}$/),
    currency: 'USD',
    rate: 82.9977,
    nominal: 1,
    name: 'Доллар США',
    timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/),
    source: 'manual',
  })
  expect(headers.get('location')).toBe(`/currencies/${body.id}`)
  for (const key of ['USD', 'usd', body.id, body.id.toUpperCase()]) {
    const read = await app.fetch(`/currencies/${key}`)
    expect(read).toMatchObject({ status: 200, body })
    expect(read.headers.get('etag')).toBe('"1"')
  }
  const cached = await app.fetch('/currencies/USD', { headers: { 'if-none-match': '"1"' } })
  expect(cached.status).toBe(304)
})

test('the list is in the order of codes, in pages', async () => {
  await post({ currency: 'EUR', rate: 94 })
  await post({ currency: 'CNY', rate: 11.5 })
  const { body, headers } = await app.fetch('/currencies')
  expect(body.map(({ currency }: { currency: string }) => currency)).toEqual(['CNY', 'EUR', 'USD'])
  expect(headers.get('x-total-count')).toBe('3')
  expect((await app.fetch('/currencies/?skip=1&limit=1')).body).toEqual([body[1]])
})

test('a code that exists is 409 and changes nothing', async () => {
  const before = [await count('events'), await count('currency_rates')]
  const { status, body } = await post({ currency: 'USD', rate: 1 })
  expect([status, body.title]).toEqual([409, 'Conflict'])
  expect([await count('events'), await count('currency_rates')]).toEqual(before)
})

test('a change by hand is a new version and a new point of the history; an empty one is nothing', async () => {
  const { body: before } = await app.fetch('/currencies/USD')
  const changed = await patch('USD', { rate: 83.5 })
  expect(changed.body).toMatchObject({ ...before, rate: 83.5, timestamp: expect.any(String) })
  expect(changed.body.timestamp > before.timestamp).toBe(true)
  expect(changed.headers.get('etag')).toBe('"2"')
  const events = await count('events')
  for (const body of [{}, { rate: 83.5 }, { name: 'Доллар США' }]) {
    expect((await patch(before.id, body)).body).toEqual(changed.body)
  }
  expect(await count('events')).toBe(events)
  const renamed = await patch('USD', { name: null, nominal: 100 })
  expect(renamed.body).toEqual({ ...changed.body, name: null, nominal: 100 })
  const { body: points } = await app.fetch('/currencies/USD/history')
  expect(points).toEqual([
    { timestamp: before.timestamp, rate: 82.9977, source: 'manual' },
    { timestamp: changed.body.timestamp, rate: 83.5, source: 'manual' },
  ])
})

test('If-Match keeps from changing or deleting what has changed since', async () => {
  for (const [method, body] of [
    ['PATCH', { rate: 1 }],
    ['DELETE', undefined],
  ] as const) {
    const answer = await app.send(method, '/currencies/USD', body, { 'if-match': '"1"' })
    expect(answer.status).toBe(412)
  }
  expect((await patch('USD', { rate: 84 }, { 'if-match': '"3"' })).headers.get('etag')).toBe('"4"')
})

test('a keyed write is done once', async () => {
  const key = { 'idempotency-key': 'one gel' }
  const first = await post({ currency: 'GEL', rate: 30.1 }, key)
  const again = await post({ currency: 'GEL', rate: 30.1 }, key)
  expect([first.status, again.status]).toEqual([201, 201])
  expect(again.body).toEqual(first.body)
  expect(again.headers.get('idempotency-replayed')).toBe('true')
})

test('rates have all their digits, also those that a double does not have, also when an answer is sent again', async () => {
  const rate = '0.33333333333333333333'
  await post({ currency: 'XDR', rate: 1 })
  await app.database.rows(`UPDATE currencies SET rate = $1 WHERE code = 'XDR'`, [rate])
  expect(await text('/currencies/XDR')).toContain(`"rate":${rate},`)
  expect(await text('/currencies')).toContain(`"rate":${rate},`)
  const send = () =>
    fetch(`${app.url}/currencies/XDR`, {
      method: 'PATCH',
      headers: { 'content-type': 'application/json', 'idempotency-key': 'exact' },
      body: '{"name":"СДР"}',
    }).then((response) => response.text())
  const first = await send()
  expect(first).toContain(`"rate":${rate},`)
  expect(await send()).toBe(first)
  const [event] = await app.database
    .rows<{ data: string }>('SELECT max(id) AS id FROM events')
    .then(() => app.database.rows<{ data: string }>('SELECT data::text FROM events ORDER BY id DESC LIMIT 1'))
  expect(event!.data).toContain(`"rate" : "${rate}"`)
  const page = await fetch(`${app.url}/events?types=currency_updated`, {
    headers: { accept: 'application/json' },
  })
  expect(await page.text()).toContain(`"rate":${rate},`)
})

test.each([0.1, 1e-7, 123456789012.3456, 5.000000000001, 0.30000000000000004])(
  'the rate %d is kept as it was written',
  async (rate) => {
    expect((await patch('XDR', { rate })).body.rate).toBe(rate)
    expect((await app.fetch('/currencies/XDR')).body.rate).toBe(rate)
  },
)

const wrong: [string, object, string][] = [
  ['no rate', { currency: 'AAA' }, 'body.rate'],
  ['no code', { rate: 1 }, 'body.currency'],
  ['zero', { currency: 'AAA', rate: 0 }, 'body.rate'],
  ['below zero', { currency: 'AAA', rate: -1 }, 'body.rate'],
  ['beyond the range', { currency: 'AAA', rate: 1e13 }, 'body.rate'],
  ['below the range', { currency: 'AAA', rate: 1e-13 }, 'body.rate'],
  ['a rate as text', { currency: 'AAA', rate: '1' }, 'body.rate'],
  ['no code of ISO 4217', { currency: 'DOLLAR', rate: 1 }, 'body.currency'],
  ['a code in Cyrillic', { currency: 'РУБ', rate: 1 }, 'body.currency'],
  ['the rouble', { currency: 'RUB', rate: 1 }, 'body.currency'],
  ['nominal 0', { currency: 'AAA', rate: 1, nominal: 0 }, 'body.nominal'],
  ['nominal 10001', { currency: 'AAA', rate: 1, nominal: 10_001 }, 'body.nominal'],
  ['an empty name', { currency: 'AAA', rate: 1, name: ' ' }, 'body.name'],
  ['a name with NUL', { currency: 'AAA', rate: 1, name: 'a\0b' }, 'body.name'],
  ['an unknown field', { currency: 'AAA', rate: 1, source: 'cbr' }, 'body.source'],
]

test.each(wrong)('%s is 422, names the field, and changes nothing', async (_what, body, path) => {
  const before = await count('currencies')
  const answer = await post(body)
  expect(answer.status).toBe(422)
  expect(answer.body.errors[0].path).toBe(path)
  expect(await count('currencies')).toBe(before)
})

test('1e400 is no number: 422', async () => {
  const headers = { 'content-type': 'application/json' }
  const answer = await app.fetch('/currencies', {
    method: 'POST',
    headers,
    body: '{"currency":"AAA","rate":1e400}',
  })
  expect(answer.status).toBe(422)
})

test.each(['US', 'DOLLAR', '12', "USD' OR 1=1", '00000000-0000-0000-0000-00000000000g'])(
  '%j is no key: 422',
  async (key) => {
    expect((await app.fetch(`/currencies/${encodeURIComponent(key)}`)).status).toBe(422)
  },
)

test('what is not there is 404, whatever is asked of it', async () => {
  expect((await app.fetch('/currencies/JPY')).body.detail).toBe('Currency JPY does not exist.')
  const id = '00000000-0000-4000-8000-000000000000'
  for (const key of ['ZZZ', id]) {
    expect((await app.fetch(`/currencies/${key}`)).status).toBe(404)
    expect((await patch(key, { rate: 1 })).status).toBe(404)
    expect((await app.fetch(`/currencies/${key}`, { method: 'DELETE' })).status).toBe(404)
    expect((await app.fetch(`/currencies/${key}/history`)).status).toBe(404)
    expect((await app.fetch(`/currencies/${key}/series`)).status).toBe(404)
  }
})

test('each change is told on /ws/currencies and /ws with the currency as REST has it, and not on /ws/tasks', async () => {
  const sockets = await Promise.all(
    ['/ws/currencies', '/ws', '/ws/tasks'].map((path) => listen(app.url.replace('http', 'ws') + path)),
  )
  const created = (await post({ currency: 'JPY', rate: 0.51 })).body
  const updated = (await patch('JPY', { rate: 0.52 })).body
  expect((await app.fetch('/currencies/JPY', { method: 'DELETE' })).status).toBe(204)
  const task = (await app.send('POST', '/tasks', { title: 'after' })).body
  const [currencies, all, tasks] = sockets.map(({ events }) => events)
  await eventually(() => all!.length === 4 && tasks!.length === 1, 'all events')
  const told = [
    ['currency_created', created],
    ['currency_updated', updated],
    ['currency_deleted', updated],
  ].map(([type, currency]) => expect.objectContaining({ type, data: { currency } }))
  expect(currencies).toEqual(told)
  expect(all).toEqual([...told, expect.objectContaining({ type: 'task_created', data: { task } })])
  expect((await app.fetch('/currencies/JPY/history')).status).toBe(404)
})

test('of two who change at once none is lost, and events are in the order of versions', async () => {
  const after = await count('events')
  const rates = Array.from({ length: 40 }, (_, i) => 50 + i)
  await Promise.all(rates.map((rate) => patch('EUR', { rate })))
  const { body } = await app.fetch('/currencies/EUR')
  const events = await app.database.rows<{ rate: string; version: number }>(
    `SELECT data->>'rate' AS rate, (data->'row'->>'version')::integer AS version FROM events ORDER BY id OFFSET $1`,
    [after],
  )
  expect(events.map(({ version }) => version)).toEqual(rates.map((_, i) => i + 2))
  expect(Number(events.at(-1)!.rate)).toBe(body.rate)
  expect((await app.fetch('/currencies/EUR/history')).body).toHaveLength(41)
})
