import fc from 'fast-check'
import { expect, test } from 'vitest'
import { RETRY_SECONDS, retryAfterSeconds, retryDelay } from './retry.ts'

const DAY = 86_400
const now = Date.UTC(2026, 0, 15, 12)

test('the waits grow and add up to about a day', () => {
  const total = RETRY_SECONDS.reduce((sum, seconds) => sum + seconds)
  expect(total).toBeGreaterThan(0.9 * DAY)
  expect(total).toBeLessThan(1.1 * DAY)
  expect([...RETRY_SECONDS].sort((a, b) => a - b)).toEqual(RETRY_SECONDS)
})

test('each wait has a random jitter of up to 10 %', () => {
  for (const [i, seconds] of RETRY_SECONDS.entries()) {
    const waits = Array.from({ length: 200 }, () => retryDelay(RETRY_SECONDS, i + 1, undefined)!)
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(seconds * 0.9)
    expect(Math.max(...waits)).toBeLessThanOrEqual(seconds * 1.1)
    expect(new Set(waits).size).toBeGreaterThan(100)
  }
  expect(retryDelay(RETRY_SECONDS, RETRY_SECONDS.length + 1, 60)).toBeUndefined()
})

test('Retry-After extends a wait up to 8 hours and never shortens it', () => {
  fc.assert(
    fc.property(fc.nat(RETRY_SECONDS.length - 1), fc.nat(10 * DAY), (i, asked) => {
      const wait = retryDelay(RETRY_SECONDS, i + 1, asked)!
      expect(wait).toBeGreaterThanOrEqual(RETRY_SECONDS[i]! * 0.9)
      expect(wait).toBeGreaterThanOrEqual(Math.min(asked, 28_800))
      expect(wait).toBeLessThanOrEqual(28_800 * 1.1)
    }),
  )
})

test.each([
  ['0', 0],
  ['120', 120],
  [' 120 ', 120],
  ['Thu, 15 Jan 2026 12:01:00 GMT', 60],
  ['Thu, 15 Jan 2026 11:00:00 GMT', 0],
  [undefined, undefined],
  ['', undefined],
  ['-1', undefined],
  ['1.5', undefined],
  ['soon', undefined],
  ['Thu, nonsense', undefined],
  ['9'.repeat(30), undefined],
  ['2026', 2026],
])('Retry-After %j means %j', (header, seconds) => {
  expect(retryAfterSeconds(header, now)).toBe(seconds)
})

test('any header parses to a number of seconds or undefined', () => {
  fc.assert(
    fc.property(fc.string(), (header) => {
      const seconds = retryAfterSeconds(header, now)
      expect(seconds === undefined || (Number.isFinite(seconds) && seconds >= 0)).toBe(true)
    }),
  )
})
