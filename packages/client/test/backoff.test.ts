import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { delay, fullJitter, retryAfterMs } from '../src/backoff.ts'

test('a pause is anything up to a bound that doubles and then stays', () => {
  const limits = fc.record({
    minMs: fc.integer({ min: 1, max: 1000 }),
    maxMs: fc.integer({ min: 1000, max: 60_000 }),
  })
  fc.assert(
    fc.property(fc.nat(2000), limits, (attempt, { minMs, maxMs }) => {
      const pause = fullJitter(attempt, { minMs, maxMs })
      expect(pause).toBeGreaterThanOrEqual(0)
      expect(pause).toBeLessThanOrEqual(Math.min(maxMs, minMs * 2 ** attempt))
    }),
  )
})

test('the whole range is used', () => {
  const random = vi.spyOn(Math, 'random')
  const bounds = [0, 1, 2, 3, 9].map((attempt) => {
    random.mockReturnValueOnce(1)
    return fullJitter(attempt, { minMs: 500, maxMs: 15_000 })
  })
  random.mockReturnValueOnce(0)
  expect([...bounds, fullJitter(9, { minMs: 500, maxMs: 15_000 })]).toEqual([
    500, 1000, 2000, 4000, 15_000, 0,
  ])
  random.mockRestore()
})

const now = Date.parse('2026-01-01T00:00:00Z')
test.each([
  [null, undefined],
  ['0', 0],
  [' 3 ', 3000],
  ['Thu, 01 Jan 2026 00:00:10 GMT', 10_000],
  ['Wed, 31 Dec 2025 00:00:00 GMT', 0],
  ['soon', undefined],
  ['-1', expect.any(Number)],
  // A timer that is set for longer than 31 bits of milliseconds goes off at once.
  ['99999999999', 3_600_000],
  ['Fri, 01 Jan 2100 00:00:00 GMT', 3_600_000],
])('Retry-After: %s', (header, expected) => {
  const ms = retryAfterMs(header, now)
  expect(ms).toEqual(expected)
  if (ms !== undefined) expect(ms).toBeGreaterThanOrEqual(0)
})

test('a delay ends with its signal, and leaves no listener behind', async () => {
  const ends = new AbortController()
  const waiting = delay(60_000, ends.signal)
  ends.abort('enough')
  await expect(waiting).rejects.toBe('enough')
  await expect(delay(60_000, ends.signal)).rejects.toBe('enough')
  const calm = new AbortController()
  const [added, removed] = (['addEventListener', 'removeEventListener'] as const).map((name) =>
    vi.spyOn(calm.signal, name),
  )
  await delay(1, calm.signal)
  await delay(1, undefined)
  expect([added!.mock.calls.length, removed!.mock.calls.length]).toEqual([1, 1])
})
