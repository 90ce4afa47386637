import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseRange } from './byte-range.ts'

const number = fc.oneof(fc.nat(30), fc.constantFrom(2 ** 31, 2 ** 53, 1e21), fc.nat())
const digits = number.map((value) => BigInt(value).toString())

/** The range that gives these of the bytes, each of which is its own position. */
const rangeOf = (slice: number[]) =>
  slice.length === 0 ? 'unsatisfiable' : { start: slice[0], end: slice.at(-1) }

test('a range is the slice that Array.prototype.slice would give', () => {
  const property = fc.property(fc.nat(20), digits, fc.option(digits, { nil: '' }), (size, first, last) => {
    const bytes = Array.from({ length: size }, (_, i) => i)
    const slice = bytes.slice(Number(first), last === '' ? undefined : Number(last) + 1)
    const isNone = last !== '' && Number(last) < Number(first)
    expect(parseRange(`bytes=${first}-${last}`, size)).toEqual(isNone ? undefined : rangeOf(slice))
  })
  fc.assert(property, { numRuns: 2000 })
})

test('a suffix is what is at the end', () => {
  const property = fc.property(fc.nat(20), digits, (size, suffix) => {
    const bytes = Array.from({ length: size }, (_, i) => i)
    const slice = Number(suffix) === 0 ? [] : bytes.slice(-Number(suffix))
    expect(parseRange(`bytes=-${suffix}`, size)).toEqual(rangeOf(slice))
  })
  fc.assert(property, { numRuns: 2000 })
})

test('whatever the header is, the range lies inside', () => {
  const header = fc.oneof(
    fc.string(),
    fc.string({ unit: fc.constantFrom('b', 'y', 't', 'e', 's', '=', '-', ',', ' ', '0', '1', '9') }),
    fc.tuple(fc.string(), fc.string()).map(([a, b]) => `bytes=${a}-${b}`),
  )
  const property = fc.property(header, fc.nat(20), (header, size) => {
    const range = parseRange(header, size)
    if (range === undefined || range === 'unsatisfiable') return
    expect(Number.isInteger(range.start) && Number.isInteger(range.end)).toBe(true)
    expect(0 <= range.start && range.start <= range.end && range.end < size).toBe(true)
  })
  fc.assert(property, { numRuns: 2000 })
})

test.each([
  undefined,
  '',
  'bytes',
  'bytes=',
  'bytes=-',
  'bytes=1-2,3-4',
  'bytes=+1-2',
  'bytes=1.5-2',
  'items=1-2',
])('%s asks for all of it', (header) => {
  expect(parseRange(header, 10)).toBeUndefined()
})

test('the unit is taken in any letter case, with blanks around the range', () => {
  expect(parseRange('Bytes= 1-2 ', 10)).toEqual({ start: 1, end: 2 })
})
