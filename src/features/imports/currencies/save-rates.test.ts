import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { fullFile } from '../../../../test/support/cbr.ts'
import { createTestDatabase, type TestDatabase } from '../../../../test/support/database.ts'
import { RateModel, type Row } from '../../../../test/support/rate-model.ts'
import { operator } from '../../../core/actor.ts'
import { createCurrencyService } from '../../currencies/index.ts'
import { type CbrFile, parseCbrFile } from './cbr-file.ts'
import { nextMissingDay, saveDay, saveRates } from './save-rates.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database[Symbol.asyncDispose]())
beforeEach(() =>
  database.rows('TRUNCATE currencies, currency_rates, imported_currencies, currency_days, events').then(),
)

const save = (file: CbrFile) => database.db.transaction((transaction) => saveRates(transaction, file))
const file = (date: string, rates: Record<string, [value: string, nominal?: number, name?: string]>) => ({
  date,
  rates: Object.entries(rates).map(([code, [value, nominal = 1, name = code]]) => ({
    code,
    value,
    nominal,
    name,
  })),
})
const rows = (statement: string) => database.rows(statement)
/** Returns the versions of all rows. */
const written = () =>
  rows(`SELECT 'c' || xmin AS x FROM currencies UNION ALL SELECT 'r' || xmin FROM currency_rates
    UNION ALL SELECT 'i' || xmin FROM imported_currencies UNION ALL SELECT 'e' || xmin FROM events
    UNION ALL SELECT 'd' || xmin FROM currency_days ORDER BY 1`)

test('rates are Value / Nominal, exactly, with the day of the file', async () => {
  await save(
    file('2025-12-13', {
      AMD: ['20.8719', 100],
      IDR: ['47.9312', 10_000],
      USD: ['79.7296'],
      ODD: ['12345.6789', 8192],
      DRY: ['1', 3],
    }),
  )
  expect(await rows('SELECT code, rate::text, rated_at, source FROM currencies ORDER BY code')).toEqual(
    [
      ['AMD', '0.208719'],
      ['DRY', '0.33333333333333333333'],
      ['IDR', '0.00479312'],
      ['ODD', '1.50704088134765625'],
      ['USD', '79.7296'],
    ].map(([code, rate]) => ({ code, rate, rated_at: '2025-12-13T00:00:00.000000Z', source: 'cbr' })),
  )
  expect(await rows('SELECT type, count(*) AS n FROM events GROUP BY 1')).toEqual([
    { type: 'currency_created', n: 5 },
  ])
})

test('an unchanged file writes no row and publishes no event, also over a weekend', async () => {
  const friday = await parseCbrFile(fullFile('13.12.2025'))
  expect(await save(friday)).toEqual({ created: 34, updated: 0, skipped: 0 })
  const before = await written()
  expect(await save(friday)).toEqual({ created: 0, updated: 0, skipped: 34 })
  expect(await save({ ...friday, date: '2025-12-12' })).toEqual({ created: 0, updated: 0, skipped: 34 })
  // The older file only marks its day as fetched.
  expect((await written()).length).toBe(before.length + 1)
  expect(await save(await parseCbrFile(fullFile('16.12.2025', 1)))).toEqual({
    created: 0,
    updated: 34,
    skipped: 0,
  })
  expect(await rows('SELECT count(*) AS n FROM currency_rates')).toEqual([{ n: 68 }])
})

test('a correction on the same day replaces the rate, also in the history', async () => {
  await save(file('2025-12-13', { USD: ['79.7296'] }))
  expect(await save(file('2025-12-13', { USD: ['79.7300'] }))).toMatchObject({ updated: 1 })
  expect(await rows('SELECT rate::text, at FROM currency_rates')).toEqual([
    { rate: '79.73', at: '2025-12-13T00:00:00.000000Z' },
  ])
})

test('a rate set before the first import stays until the bank publishes a later one', async () => {
  const service = createCurrencyService(database.db)
  await service.create({ actor: operator }, { currency: 'USD', rate: 1.25, name: 'Mine' })
  await service.create({ actor: operator }, { currency: 'EUR', rate: 2 })
  await rows("UPDATE currencies SET rated_at = '2025-12-13T10:00Z'")
  await rows('DELETE FROM currency_rates')
  const present = () => rows('SELECT code, rate::float, name, source FROM currencies ORDER BY code')
  const before = { code: 'USD', rate: 1.25, name: 'Mine', source: 'manual' }
  await save(file('2025-12-13', { USD: ['79.7296'], EUR: ['93.1', 1, 'Евро'] }))
  expect(await present()).toEqual([{ code: 'EUR', rate: 2, name: 'Евро', source: 'manual' }, before])
  expect(await rows('SELECT rate::float FROM currency_rates ORDER BY rate')).toEqual([
    { rate: 79.7296 },
    { rate: 93.1 },
  ])
  await save(file('2025-12-14', { USD: ['80'], EUR: ['94', 1, 'Евро'] }))
  expect(await present()).toEqual([
    { code: 'EUR', rate: 94, name: 'Евро', source: 'cbr' },
    { ...before, rate: 80, source: 'cbr' },
  ])
})

const codes = ['AAA', 'BBB', 'CCC'] as const
const code = fc.constantFrom(...codes)
const quote = fc.record({
  code,
  value: fc.constantFrom('1', '2', '3'),
  nominal: fc.constantFrom(1, 10),
  name: fc.constantFrom('Бат', 'Донг'),
})
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('file' as const),
      day: fc.integer({ min: 1, max: 4 }),
      rates: fc.uniqueArray(quote, { selector: (one) => one.code, maxLength: 3 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('rate' as const), code, rate: fc.constantFrom(0.1, 2, 7) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('name' as const),
      code,
      name: fc.constantFrom('Мой', 'Бат', null),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('delete' as const), code }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('create' as const), code }) },
)

async function present(): Promise<Map<string, Row & { version: number }>> {
  const all = await database.rows<Row & { code: string; rate: unknown; version: number }>(
    'SELECT code, rate::float AS rate, nominal, name, source, version FROM currencies',
  )
  return new Map(all.map(({ code: of, ...row }) => [of, row]))
}

test('random changes here and at the bank are merged by the rule', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
      await rows('TRUNCATE currencies, currency_rates, imported_currencies, currency_days, events')
      const model = new RateModel()
      const service = createCurrencyService(database.db)
      for (const action of steps) {
        const before = await present()
        const [{ n }] = (await rows('SELECT count(*) AS n FROM events')) as [{ n: number }]
        if (action.do === 'file') {
          const { created } = model.run({ date: `2025-12-0${action.day}`, rates: action.rates })
          const counts = await save({ date: `2025-12-0${action.day}`, rates: action.rates })
          const after = await present()
          const changed = [...after].filter(([of, { version }]) => before.get(of)?.version !== version)
          expect(counts.created).toBe(created.length)
          expect(counts.created + counts.updated).toBe(changed.length)
          expect(counts.skipped).toBe(action.rates.length - changed.length)
          expect(await rows(`SELECT data->'row'->>'code' AS of FROM events ORDER BY id OFFSET ${n}`)).toEqual(
            changed.map(([of]) => ({ of })).sort((a, b) => (a.of < b.of ? -1 : 1)),
          )
        } else if (action.do === 'create') {
          if (model.create(action.code, 5))
            await service.create({ actor: operator }, { currency: action.code, rate: 5 })
        } else if (before.has(action.code)) {
          if (action.do === 'delete') await service.remove({ actor: operator }, action.code)
          else await service.patch({ actor: operator }, action.code, action)
          if (action.do === 'delete') model.delete(action.code)
          else model.edit(action.code, action)
        }
        const after = await present()
        for (const row of after.values()) delete (row as Partial<Row & { version: number }>).version
        expect(after).toEqual(model.rows)
      }
      // The current rate is always in the history.
      const lost = `SELECT code FROM currencies c WHERE NOT EXISTS (
        SELECT FROM currency_rates r WHERE r.currency_id = c.id AND r.at = c.rated_at AND r.rate = c.rate)`
      expect(await rows(lost)).toEqual([])
    }),
    { numRuns: 30, endOnFailure: true },
  )
})

test('the backfill adds each day to the history once, without events and without changing current rates', async () => {
  await save(file('2025-12-13', { USD: ['80'], EUR: ['90'] }))
  const present = await rows('SELECT * FROM currencies ORDER BY code')
  await rows('TRUNCATE events')
  const friday = file('2025-12-12', { USD: ['79'], GBP: ['100', 1] })
  expect(await saveDay(database.db, friday, '2025-12-12')).toBe(1)
  expect(await saveDay(database.db, friday, '2025-12-12')).toBe(0)
  expect(await rows('SELECT * FROM currencies ORDER BY code')).toEqual(present)
  expect(await rows('SELECT * FROM events')).toEqual([])
  expect(
    await rows(
      `SELECT code, r.rate::text, at FROM currency_rates r JOIN currencies c ON c.id = currency_id ORDER BY at, code`,
    ),
  ).toEqual([
    { code: 'USD', rate: '79', at: '2025-12-12T00:00:00.000000Z' },
    { code: 'EUR', rate: '90', at: '2025-12-13T00:00:00.000000Z' },
    { code: 'USD', rate: '80', at: '2025-12-13T00:00:00.000000Z' },
  ])
})

test('nextMissingDay returns the latest day that was not fetched, until there is none', async () => {
  const returned: (string | undefined)[] = []
  for (let i = 0; i < 4; i++) {
    const day = await nextMissingDay(database.db, 3)
    returned.push(day)
    if (day) await saveDay(database.db, file(day, {}), day)
  }
  const [days] = await database.rows<{ days: string[] }>(
    `SELECT array(SELECT to_char(current_date - n, 'YYYY-MM-DD') FROM generate_series(1, 3) n) AS days`,
  )
  expect(returned).toEqual([...days!.days, undefined])
})
