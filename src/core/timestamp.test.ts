import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isoTimestamp } from './timestamp.ts'

const years = {
  min: new Date('0001-01-01T00:00:00Z'),
  max: new Date('9999-12-31T23:59:59.999Z'),
  noInvalidDate: true,
}

/** How PostgreSQL writes an instant: no trailing zeros in the fraction, none at all for whole seconds. */
function written(date: Date, microseconds: number, style: 'column' | 'json'): string {
  const fraction = String(microseconds).padStart(6, '0').replace(/0+$/, '')
  const [day, time] = [date.toISOString().slice(0, 10), date.toISOString().slice(11, 19)]
  const text = fraction === '' ? time : `${time}.${fraction}`
  return style === 'column' ? `${day} ${text}+00` : `${day}T${text}+00:00`
}

test.each([
  ['2025-12-15 12:00:31.1684+00', '2025-12-15T12:00:31.168400Z'],
  ['2025-12-15T12:00:31.168401+00:00', '2025-12-15T12:00:31.168401Z'],
  ['2025-12-15 12:00:31+00', '2025-12-15T12:00:31.000000Z'],
  ['2025-12-15T12:00:31+00:00', '2025-12-15T12:00:31.000000Z'],
  ['2025-12-15 12:00:31.000001+00', '2025-12-15T12:00:31.000001Z'],
])('%s becomes %s', (text, iso) => {
  expect(isoTimestamp(text)).toBe(iso)
})

test('any instant is the same instant as before, to the microsecond', () => {
  const instant = fc.date(years)
  const decimals = fc.integer({ min: 0, max: 999_999 })
  const style = fc.constantFrom('column' as const, 'json' as const)
  fc.assert(
    fc.property(instant, decimals, style, (date, microseconds, how) => {
      const iso = isoTimestamp(written(date, microseconds, how))
      expect(iso).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
      expect(iso.slice(20, 26)).toBe(String(microseconds).padStart(6, '0'))
      const whole = Math.floor(date.getTime() / 1000) * 1000
      expect(new Date(iso).getTime()).toBe(whole + Math.floor(microseconds / 1000))
    }),
    { numRuns: 1000 },
  )
})

test('milliseconds survive the way through a Date', () => {
  fc.assert(
    fc.property(fc.date(years), (date) => {
      const text = written(date, date.getUTCMilliseconds() * 1000, 'column')
      expect(new Date(isoTimestamp(text)).toISOString()).toBe(date.toISOString())
    }),
    { numRuns: 1000 },
  )
})
