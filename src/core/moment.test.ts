import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isDay, isInstant, isMoment, utcInstant } from './moment.ts'

test.each([
  ['2025-12-15T12:00:31.168401Z', '2025-12-15T12:00:31.168401Z'],
  ['2025-12-15T12:00Z', '2025-12-15T12:00:00.000000Z'],
  ['2025-12-15T12:00:31.1+03:00', '2025-12-15T09:00:31.100000Z'],
  ['2025-12-31T23:30:00-05:30', '2026-01-01T05:00:00.000000Z'],
  ['2024-02-29T00:00:00.999999+00:00', '2024-02-29T00:00:00.999999Z'],
  ['0001-01-01T00:00:00Z', '0001-01-01T00:00:00.000000Z'],
  ['9999-12-31T23:59:59.999999Z', '9999-12-31T23:59:59.999999Z'],
])('%s is the instant %s', (text, utc) => {
  expect([isMoment(text), isInstant(text), utcInstant(text)]).toEqual([true, true, utc])
})

test.each([
  '',
  'now',
  'infinity',
  '2025-02-30T00:00:00Z',
  '2025-02-29T00:00:00Z',
  '2025-13-01T00:00:00Z',
  '2025-12-15T24:30:00Z',
  '2025-12-15T12:60:00Z',
  '2025-12-15T12:00:60Z',
  '2025-12-15T12:00:00',
  '2025-12-15 12:00:00Z',
  '2025-12-15T12:00:00.1234567Z',
  '2025-12-15T12:00:00+99:99',
  '0000-01-01T00:00:00Z',
  '0001-01-01T00:00:00+01:00',
  '9999-12-31T23:59:59-01:00',
  '+002025-12-15T12:00:00Z',
  '2025-12-15T12:00:00Z; DROP TABLE tasks',
])('%j is none, and stays as it is', (text) => {
  expect([isMoment(text), isInstant(text), utcInstant(text)]).toEqual([false, false, text])
})

test('a day is a moment but no instant', () => {
  expect([isMoment('2025-12-15'), isInstant('2025-12-15')]).toEqual([true, false])
  expect([isMoment('2025-02-30'), isMoment('2025-2-3')]).toEqual([false, false])
})

test('every time is itself in UTC', () => {
  fc.assert(
    fc.property(fc.date({ min: new Date(0), noInvalidDate: true, max: new Date('9999-12-31') }), (date) => {
      const iso = date.toISOString()
      expect(utcInstant(iso)).toBe(`${iso.slice(0, -1)}000Z`)
      expect(utcInstant(utcInstant(iso))).toBe(utcInstant(iso))
    }),
  )
})

test('a day is one of the calendar, alone', () => {
  for (const day of ['2025-12-15', '2024-02-29', '0001-01-01', '9999-12-31'])
    expect([day, isDay(day)]).toEqual([day, true])
  // biome-ignore format: one line for one line
  const none = ['2025-02-29', '1900-02-29', '2025-04-31', '2025-13-01', '0000-01-01', '2025-1-1', '2025-12-15T00:00:00Z', ' 2025-12-15', '2025-12-15\n', '２０２５-12-15', '+002025-12', 'today', '']
  for (const text of none) expect([text, isDay(text)]).toEqual([text, false])
})
