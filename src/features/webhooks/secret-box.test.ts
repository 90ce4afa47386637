import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createSecretBox } from './secret-box.ts'

const [first, second, third] = ['first', 'second', 'third'].map(
  (name) => `${name} key of this test, long enough`,
)

test('a decrypted secret equals the original, and each ciphertext is different', () => {
  const box = createSecretBox([first!])
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      const sealed = box.seal(text)
      expect(box.open(sealed)).toBe(text)
      expect(box.isCurrent(sealed)).toBe(true)
      expect(sealed.equals(box.seal(text))).toBe(false)
    }),
  )
})

test('a changed or truncated ciphertext is not decrypted', () => {
  const box = createSecretBox([first!])
  const sealed = box.seal('whsec_of-this-test')
  fc.assert(
    fc.property(fc.nat(sealed.length - 1), fc.integer({ min: 1, max: 255 }), (at, bits) => {
      const changed = Buffer.from(sealed)
      changed[at]! ^= bits
      expect(box.open(changed)).toBeUndefined()
      expect(box.open(sealed.subarray(0, at))).toBeUndefined()
    }),
  )
  expect(box.open(Buffer.concat([sealed, Buffer.alloc(1)]))).toBeUndefined()
})

test('the first key encrypts, every listed key decrypts, a removed key does not', () => {
  const before = createSecretBox([first!, third!]).seal('kept')
  const both = createSecretBox([second!, first!])
  expect(both.open(before)).toBe('kept')
  expect(both.isCurrent(before)).toBe(false)
  const after = both.seal('kept')
  expect(createSecretBox([second!]).open(after)).toBe('kept')
  expect(createSecretBox([second!]).open(before)).toBeUndefined()
  expect(createSecretBox([first!]).open(after)).toBeUndefined()
})

test('createSecretBox throws without a key', () => {
  expect(() => createSecretBox([])).toThrow('secrets need a key')
})
