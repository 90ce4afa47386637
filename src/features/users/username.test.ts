import fc from 'fast-check'
import { expect, test } from 'vitest'
import { canonicalUsername, isUsername, usernameKey } from './username.ts'

const forms = ['NFC', 'NFD', 'NFKC', 'NFKD'] as const

/** Other ways to write the same name. */
function variants(name: string): string[] {
  const cases = [name, name.toUpperCase(), name.toLowerCase()]
  return cases.flatMap((text) => [text, ...forms.map((form) => text.normalize(form))])
}

const letters = fc.constantFrom(
  ...'aKzß ſ\u212Aﬁ ıİ éÉ ñ ςσΣ ΐ ώ ŉ ǰ ǆǅ ẞ ж Й ё Ї 가 が Ａ ９ ١ ა Ა ꭰ Ꭰ 𐐀 𐐨'.replaceAll(' ', ''),
)
const anyLetter = fc
  .integer({ min: 0x21, max: 0x1ffff })
  .map((code) => String.fromCodePoint(code))
  .filter((character) => /^[\p{L}\p{Nd}]$/u.test(character))
const name = fc
  .array(fc.oneof(letters, anyLetter, fc.constantFrom('.', '_', '-')), { minLength: 3, maxLength: 12 })
  .map((characters) => canonicalUsername(characters.join('')))

test('names that differ in case or Unicode form only have one key', () => {
  const property = fc.property(name, (name) => {
    const keys = new Set(variants(name).map(usernameKey))
    expect([...keys]).toEqual([usernameKey(name)])
  })
  fc.assert(property, { numRuns: 5000 })
})

test('the key of a key is itself, and so is the canonical form', () => {
  const property = fc.property(fc.oneof(name, fc.string({ unit: 'binary' })), (name) => {
    expect(usernameKey(usernameKey(name))).toBe(usernameKey(name))
    expect(canonicalUsername(canonicalUsername(name))).toBe(canonicalUsername(name))
  })
  fc.assert(property, { numRuns: 5000 })
})

test('every letter of Unicode has the key of its variants', () => {
  const apart: string[] = []
  for (let code = 0; code <= 0x10ffff; code++) {
    const character = String.fromCodePoint(code)
    if (!/^\p{L}$/u.test(character)) continue
    const key = usernameKey(character)
    if (usernameKey(key) !== key || variants(character).some((variant) => usernameKey(variant) !== key)) {
      apart.push(code.toString(16))
    }
  }
  expect(apart).toEqual([])
})

test.each([
  ['Alice', 'aLICE'],
  ['ſam', 'SAM'],
  ['\u212Aate', 'kate'],
  ['ﬁnn', 'FINN'],
  ['STRASSE', 'straße'],
  ['STRAẞE', 'strasse'],
  ['ΣΟΦΟΣ', 'σοφος'],
  ['σοφοσ', 'σοφος'],
  ['Jose\u0301', 'JOSÉ'],
  ['ＢＯＢ９', 'bob9'],
  ['Иван', 'ИВАН'],
  ['İbo', 'i\u0307bo'],
  ['ırma', 'IRMA'],
])('%s and %s are one name', (one, other) => {
  expect(usernameKey(one)).toBe(usernameKey(other))
})

test.each([
  ['alice', 'alic\u00e9'],
  ['alice', 'аlice'],
  ['bob', 'bob_'],
  ['a.bc', 'abc'],
])('%s and %s are two names', (one, other) => {
  expect(usernameKey(one)).not.toBe(usernameKey(other))
})

test.each([
  'abc',
  'a-b.c_d',
  '...',
  'Иван',
  'José',
  'Jose\u0301',
  '山田太郎',
  'हिन्दी',
  '٣٤٥',
  'ﬁn',
  '𐐀𐐁𐐂',
  'a'.repeat(64),
  '𐐀'.repeat(64),
])('%j is a user name', (name) => {
  expect(isUsername(name)).toBe(true)
})

test.each([
  '',
  'ab',
  '𐐀𐐁',
  'a'.repeat(65),
  `${'a'.repeat(63)}ﬁ`,
  'a b',
  ' abc',
  'abc\n',
  'abc\0',
  'a@b',
  'a/b',
  'abc+',
  'a\u200db',
  'a\u00adbc',
  'bob\ufe0f',
  'bob\u3164',
  'bob\u202e',
  '\u0301abc',
  'abc😀',
  'abc\ud800',
  'ﷺabc',
])('%j is none', (name) => {
  expect(isUsername(name)).toBe(false)
})

test('a user name stays one in its canonical form and in its key, but for the length', () => {
  const property = fc.property(name, (name) => {
    fc.pre(isUsername(name))
    expect(isUsername(canonicalUsername(name))).toBe(true)
    expect(usernameKey(name)).toMatch(/^[\p{L}\p{M}\p{Nd}._-]{3,}$/u)
  })
  fc.assert(property, { numRuns: 2000 })
})
