import fc from 'fast-check'
import { expect, test } from 'vitest'
import { numberText, parseExactly } from '../../core/exact-json.ts'
import { currencyMessage, readCurrencyMessage } from './currency-message.ts'

const read = (text: string, now?: number) => readCurrencyMessage(Buffer.from(text), now)
const NOW = Date.parse('2025-12-15T12:00:00Z')

test.each([
  ['{"currency":"USD","rate":100}', { code: 'USD', rate: '100', timestamp: null }],
  ['{"currency":" usd ","rate":1e2}', { code: 'USD', rate: '1e2', timestamp: null }],
  [
    '{"currency":"USD","rate":0.1234567890123456789}',
    { code: 'USD', rate: '0.1234567890123456789', timestamp: null },
  ],
  [
    // The format that document B's service writes, in Python.
    '{"id": "9b2f", "currency": "USD", "rate": 100.0, "event_type": "add_data_from_remote_source", "timestamp": "2025-12-15T12:00:31.168401+00:00", "source": "test"}',
    { code: 'USD', rate: '100.0', timestamp: '2025-12-15T12:00:31.168401Z' },
  ],
  [
    '{"currency":"USD","rate":1,"timestamp":"2025-12-15T11:00:00"}',
    { code: 'USD', rate: '1', timestamp: '2025-12-15T11:00:00.000000Z' },
  ],
  [
    '{"currency":"USD","rate":1,"timestamp":"2025-12-14"}',
    { code: 'USD', rate: '1', timestamp: '2025-12-14' },
  ],
])('%s', (text, rate) => {
  expect(read(text, NOW)).toEqual(rate)
})

test('our own messages are not for us, whatever else is in them', () => {
  expect(read('{"source":"exchange_rate_parser","rate":"?","x":1}')).toBeNull()
})

test.each([
  // Times that JavaScript accepts and PostgreSQL does not.
  ['2025-12-15T12:00:00+20:00', '2025-12-14T16:00:00.000000Z'],
  ['0000-12-31T23:00:00-02:00', '0001-01-01T01:00:00.000000Z'],
])('the time %s is written in UTC', (time, timestamp) => {
  expect(read(`{"currency":"USD","rate":1,"timestamp":"${time}"}`, NOW)).toMatchObject({ timestamp })
})

test.each(['1000000000000.00000001', '0.00000000000099999999999999999999', '1e12', '1e-12'])(
  'the rate %s is out of range, to the last digit',
  (rate) => {
    expect(() => read(`{"currency":"USD","rate":${rate}}`)).toThrow('its rate is out of range')
  },
)

test('a rate may be one of tomorrow, and of no later day', () => {
  const at = (time: string) => read(`{"currency":"USD","rate":1,"timestamp":"${time}"}`, NOW)
  expect(at('2025-12-17T12:00:00Z')).not.toBeNull()
  expect(() => at('2025-12-17T12:00:01Z')).toThrow('its timestamp is in the future')
  expect(() => at('2025-12-17T12:00:00-05:00')).toThrow('its timestamp is in the future')
})

test('whatever comes is a rate, not for us, or an error of one short line', () => {
  const value = fc.oneof(
    fc.json(),
    fc
      .record(
        {
          currency: fc.oneof(fc.constantFrom('USD', 'eur', 'RUB', ''), fc.string()),
          rate: fc.oneof(fc.double(), fc.integer(), fc.string()),
          timestamp: fc.oneof(
            fc.string(),
            fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
          ),
          source: fc.oneof(fc.constantFrom('exchange_rate_parser', 'other'), fc.anything()),
        },
        { requiredKeys: [] },
      )
      .map((record) => JSON.stringify(record)),
    fc.string(),
  )
  fc.assert(
    fc.property(value, (text) => {
      try {
        const rate = read(text)
        if (rate === null) return
        expect(rate.code).toMatch(/^(?!RUB)[A-Z]{3}$/)
        expect(Number(rate.rate)).toBeGreaterThanOrEqual(1e-12)
      } catch (error) {
        expect((error as Error).message).toMatch(/^its? [^\n]{1,400}$/)
      }
    }),
    { numRuns: 2000 },
  )
})

test('a message of ours has the digits of its event', () => {
  const text =
    '{"id":"7","type":"currency_updated","at":"2025-12-15T12:00:00.000000Z","data":{"currency":{"id":"9b2f","currency":"XDR","rate":0.33333333333333333333,"nominal":1,"name":"СДР","timestamp":"2025-12-15T00:00:00.000000Z","source":"cbr"}}}'
  expect(currencyMessage({ type: 'currency_updated', text })).toBe(
    '{"id":"9b2f","currency":"XDR","rate":0.33333333333333333333,"event_type":"currency_updated","timestamp":"2025-12-15T00:00:00.000000Z","source":"exchange_rate_parser"}',
  )
  expect(currencyMessage({ type: 'task_created', text })).toBeUndefined()
})

test('numbers keep their digits through parsing and writing', () => {
  const digits = fc
    .tuple(fc.integer(), fc.stringMatching(/^\d{1,30}$/))
    .map(([whole, fraction]) => `${whole}.${fraction}`)
  fc.assert(
    fc.property(digits, (text) => {
      expect(JSON.stringify(parseExactly(`{"a":[${text}]}`))).toBe(`{"a":[${text}]}`)
      expect(Number(numberText(parseExactly(text)))).toBe(Number(text))
    }),
  )
})
