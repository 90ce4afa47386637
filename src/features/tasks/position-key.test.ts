import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { firstPosition, keyBetween } from './position-key.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database[Symbol.asyncDispose]())

test('there is always a key between two, however often and wherever keys are put', () => {
  const where = fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { maxLength: 300 })
  fc.assert(
    fc.property(where, (choices) => {
      const keys = [firstPosition(1), firstPosition(2)]
      for (const choice of choices) {
        const gap = Math.floor(choice * (keys.length - 1))
        const key = keyBetween(keys[gap]!, keys[gap + 1]!)
        expect(key).toMatch(/^[0-9a-z]*[1-9a-z]$/)
        keys.splice(gap + 1, 0, key)
      }
      expect(keys).toEqual(keys.toSorted())
      expect(new Set(keys).size).toBe(keys.length)
    }),
  )
})

test('any two keys have one between them, as PostgreSQL compares them too', async () => {
  const key = fc.stringMatching(/^[0-9a-z]{0,12}[1-9a-z]$/)
  const pairs = fc.sample(fc.uniqueArray(key, { minLength: 2, maxLength: 2 }), 500).map((pair) => {
    const [low, high] = pair.toSorted() as [string, string]
    return [low, keyBetween(low, high), high]
  })
  const wrong = await database.rows(
    `SELECT * FROM jsonb_array_elements($1::jsonb) AS k
     WHERE NOT ((k ->> 0) COLLATE "C" < k ->> 1 AND (k ->> 1) COLLATE "C" < k ->> 2)`,
    [JSON.stringify(pairs)],
  )
  expect(wrong).toEqual([])
})

test('a thousand tasks put one after the other into the same gap take keys of some 200 digits', () => {
  let [first, last] = [firstPosition(1), firstPosition(2)]
  for (let i = 0; i < 500; i++) first = keyBetween(first, last)
  for (let i = 0; i < 500; i++) last = keyBetween(first, last)
  expect(Math.max(first.length, last.length)).toBeLessThan(220)
})

test.each([
  ['b', 'a'],
  ['a', 'a'],
  ['a', 'a0'],
  ['', '0'],
])('between %j and %j there is none', (low, high) => {
  expect(() => keyBetween(low, high)).toThrow(RangeError)
})

test('the first places are those that PostgreSQL gives out', async () => {
  const ids = [1, 2, 15, 16, 17, 255, 256, 1_000_000, 2 ** 31 - 1]
  const rows = await database.rows('SELECT task_place(id) AS place FROM unnest($1::integer[]) AS id', [ids])
  expect(rows).toEqual(ids.map((id) => ({ place: firstPosition(id) })))
})
