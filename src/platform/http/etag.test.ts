import fc from 'fast-check'
import { expect, test } from 'vitest'
import { etag, matchesAny, versionsAllowed } from './etag.ts'

test.each<[string | undefined, boolean]>([
  [undefined, false],
  ['', false],
  ['"7"', true],
  ['W/"7"', true],
  ['"1", "7"', true],
  ['"1",W/"7" ', true],
  [' * ', true],
  ['7', false],
  ['"70"', false],
  ['"1", "2"', false],
  ['"*"', false],
  ['w/"7"', false],
])('If-None-Match %s against version 7: %s', (header, expected) => {
  expect(matchesAny(header, etag(7))).toBe(expected)
})

test.each<[string | undefined, number[] | undefined]>([
  [undefined, undefined],
  ['*', undefined],
  [' * ', undefined],
  ['"7"', [7]],
  ['"7", "8" ,"9"', [7, 8, 9]],
  ['W/"7"', []],
  ['W/"7", "8"', [8]],
  ['"abc", "7"', [7]],
  ['7', []],
  ['', []],
  ['"-1"', []],
  ['"7.0"', []],
  ['"99999999999999999999"', []],
  ['"*"', []],
])('If-Match %s allows %s', (header, expected) => {
  expect(versionsAllowed(header)).toEqual(expected)
})

test('a tag names its own version and no other', () => {
  const version = fc.integer({ min: 1, max: 999_999_999 })
  const check = (one: number, other: number) => {
    expect(versionsAllowed(etag(one))).toEqual([one])
    expect(matchesAny(etag(other), etag(one))).toBe(one === other)
  }
  fc.assert(fc.property(version, version, check))
})
