import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../support/app.ts'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
  for (const [currency, rate] of Object.entries({ USD: 80, EUR: 100, VND: 0.0032, CHF: 90 })) {
    const { body } = await app.send('POST', '/currencies', { currency, rate })
    await app.database.rows('DELETE FROM currency_rates WHERE currency_id = $1', [body.id])
  }
  // A rate for each of 800 days, and a second one by hand on one of them.
  await app.database.rows(
    `INSERT INTO currency_rates (currency_id, at, source, rate)
     SELECT id, '2023-01-01Z'::timestamptz + make_interval(days => n), 'cbr', 60 + n / 100.0
     FROM currencies, generate_series(0, 799) n WHERE code = 'USD'
     UNION ALL SELECT id, '2023-01-03T12:00:00Z', 'manual', 70 FROM currencies WHERE code = 'USD'`,
  )
  await app.database.rows(`UPDATE currencies SET rated_at = '2025-12-15Z', source = 'cbr' WHERE code = 'USD'`)
  await app.database.rows(`UPDATE currencies SET rated_at = '2025-12-13Z', source = 'cbr' WHERE code = 'EUR'`)
})
afterAll(() => app[Symbol.asyncDispose]())

const get = (path: string) => app.fetch(`/currencies${path}`)

test('the history of a period has all its rates, both days included', async () => {
  const { body, headers } = await get('/USD/history?from=2023-01-02&to=2023-01-03')
  expect(body).toEqual([
    { timestamp: '2023-01-02T00:00:00.000000Z', rate: 60.01, source: 'cbr' },
    { timestamp: '2023-01-03T00:00:00.000000Z', rate: 60.02, source: 'cbr' },
    { timestamp: '2023-01-03T12:00:00.000000Z', rate: 70, source: 'manual' },
  ])
  expect(headers.get('x-total-count')).toBe('3')
  const times = `from=2023-01-03T00:00:00Z&to=${encodeURIComponent('2023-01-03T15:00:00+03:00')}`
  expect((await get(`/usd/history?${times}`)).body).toEqual(body.slice(1))
  expect((await get('/USD/history?skip=1&limit=1&to=2023-01-03')).body).toEqual([body[0]])
  expect((await get('/USD/history?from=2030-01-01')).body).toEqual([])
})

test('a series has the last rate of each day', async () => {
  const { body } = await get('/USD/series?from=2023-01-01&to=2023-01-04')
  expect(body).toEqual({
    currency: 'USD',
    step: 'day',
    dates: ['2023-01-01', '2023-01-02', '2023-01-03', '2023-01-04'],
    rates: [60, 60.01, 70, 60.03],
  })
  expect((await get('/CHF/series')).body).toEqual({ currency: 'CHF', step: 'day', dates: [], rates: [] })
})

test.each([
  [800, 'day', 800],
  [799, 'week', 116],
  [100, 'month', 27],
  [27, 'month', 27],
  [20, 'year', 3],
])('of 800 days, %i points at most are one a %s', async (points, step, count) => {
  const { body } = await get(`/USD/series?points=${points}`)
  expect([body.step, body.dates.length, body.rates.length]).toEqual([step, count, count])
  expect(body.dates).toEqual([...body.dates].sort())
  expect([body.dates.at(-1), body.rates.at(-1)]).toEqual(['2025-03-10', 67.99])
})

test.each([
  'from=yesterday',
  'from=2025-02-30',
  'from=2025-13-01',
  'from=0000-01-01',
  'from=2025-12-15T12:00:00',
  'to=2025-12-15T25:00:00Z',
  'from=2025-12-16&to=2025-12-15',
  'limit=0',
  'limit=10001',
  'skip=-1',
  'since=2025-12-15',
])('history?%s is 422', async (query) => {
  expect((await get(`/USD/history?${query}`)).status).toBe(422)
})

test('an amount is converted by the cross rate, with the days of both rates', async () => {
  expect((await get('/convert?from=USD&to=EUR&amount=10')).body).toEqual({
    from: 'USD',
    to: 'EUR',
    amount: 10,
    rate: 0.8,
    result: 8,
    dates: { USD: '2025-12-15', EUR: '2025-12-13' },
  })
  expect((await get('/convert?from=eur&to=rub&amount=0.50')).body).toMatchObject({
    amount: 0.5,
    rate: 100,
    result: 50,
    dates: { EUR: '2025-12-13' },
  })
  expect((await get('/convert?from=RUB&to=VND&amount=1')).body.result).toBe(312.5)
})

test('results are made of the exact rates and rounded once', async () => {
  await app.send('PATCH', '/currencies/CHF', { rate: 3 })
  const text = await fetch(
    `${app.url}/currencies/convert?from=RUB&to=CHF&amount=999999999999999.999999999999`,
  ).then((response) => response.text())
  expect(text).toContain('"amount":999999999999999.999999999999,')
  expect(text).toContain('"rate":0.333333333333,')
  expect(text).toContain('"result":333333333333333.333333333333,')
  expect((await get('/convert?from=VND&to=EUR&amount=0')).body.result).toBe(0)
  expect((await get('/convert?from=VND&to=VND&amount=0.1')).body).toMatchObject({ rate: 1, result: 0.1 })
})

test.each([
  ['from=USD&to=EUR', 422],
  ['from=USD&amount=1', 422],
  ['from=USD&to=EUR&amount=-1', 422],
  ['from=USD&to=EUR&amount=1e3', 422],
  ['from=USD&to=EUR&amount=1,5', 422],
  ['from=USD&to=EUR&amount=NaN', 422],
  ['from=USD&to=EUR&amount=1000000000000000', 422],
  ['from=US&to=EUR&amount=1', 422],
  ['from=ZZZ&to=EUR&amount=1', 404],
  ['from=USD&to=ZZZ&amount=1', 404],
])('convert?%s is %i', async (query, status) => {
  expect((await get(`/convert?${query}`)).status).toBe(status)
})
