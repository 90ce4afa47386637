import fc from 'fast-check'
import { expect, test } from 'vitest'
import { cityKey } from './city-key.ts'

test.each([
  ['Moscow', 'moscow'],
  ['  NIZHNY \t Novgorod\u00a0', 'nizhny novgorod'],
  ['Нижний  Новгород', 'нижний новгород'],
  ['Sa\u0303o Paulo', 'são paulo'],
  ['Ｔｏｋｙｏ', 'tokyo'],
  ['İstanbul', 'i̇stanbul'],
  ['\u3000', ''],
])('%j is known by %j', (city, key) => {
  expect(cityKey(city)).toBe(key)
})

test('a key is its own key, and that of every spelling', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.constantFrom(' ', '\t\t', '\u2003'), (city, blank) => {
      const key = cityKey(city)
      expect(cityKey(key)).toBe(key)
      expect(cityKey(`${blank}${city}${blank}`)).toBe(key)
      for (const form of ['NFC', 'NFD'] as const) expect(cityKey(city.normalize(form))).toBe(key)
    }),
    { numRuns: 2_000 },
  )
})
