import fc from 'fast-check'
import { expect, test } from 'vitest'
import { backoffMs } from './backoff.ts'
import { boundedError, boundedResult } from './bounded.ts'

const anything = fc.oneof(
  fc.jsonValue(),
  fc.string({ unit: 'binary', minLength: 0, maxLength: 40_000 }),
  fc.array(
    fc.string({ unit: fc.constantFrom('\0', '\ud800', '"', '\\', 'ж', '😀', '\n'), maxLength: 20_000 }),
    {
      maxLength: 3,
    },
  ),
)

test('a result is JSON of at most 16 KiB that jsonb takes; small and clean it stays what it is', () => {
  fc.assert(
    fc.property(anything, (value) => {
      const json = boundedResult(value)
      expect(Buffer.byteLength(json)).toBeLessThanOrEqual(16 * 1024)
      const back = JSON.parse(json)
      expect(json).not.toMatch(/(?<!\\)(\\\\)*\\u(0000|d[89a-f])/i)
      const whole = JSON.stringify(value)
      if (Buffer.byteLength(whole) <= 16 * 1024 && value !== undefined && !/\\u(0000|d)/.test(whole))
        expect(back).toEqual(JSON.parse(whole))
    }),
  )
  expect(boundedResult(undefined)).toBe('null')
  expect(JSON.parse(boundedResult(['"'.repeat(20_000)]))).toMatchObject({ truncated: true })
})

test('an error is at most 2,000 characters that text takes', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 5_000 }), (text) => {
      const error = boundedError(text)
      expect(error.length).toBeLessThanOrEqual(2_000)
      expect(error).not.toContain('\0')
      expect(error.isWellFormed()).toBe(true)
    }),
  )
  expect(boundedError('x'.repeat(2_001))).toMatch(/^x{1999}…$/)
  expect(boundedError('down')).toBe('down')
})

test('waits double from 2 s to 10 min, the second half of each by chance', () => {
  const least = (attempt: number) => backoffMs(attempt, () => 0)
  const most = (attempt: number) => backoffMs(attempt, () => 1)
  expect([1, 2, 3, 4].map(most)).toEqual([2_000, 4_000, 8_000, 16_000])
  expect([1, 2, 3, 4].map(least)).toEqual([1_000, 2_000, 4_000, 8_000])
  expect([10, 25, 5000].map(most)).toEqual([600_000, 600_000, 600_000])
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 100 }), (attempt) => {
      const wait = backoffMs(attempt)
      expect(wait).toBeGreaterThanOrEqual(least(attempt))
      expect(wait).toBeLessThanOrEqual(most(attempt))
    }),
  )
})
