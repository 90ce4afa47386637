import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createRefreshTokens, type RefreshClaim } from './refresh-token.ts'

const keys = ['a key of at least thirty-two bytes', 'another key of at least 32 bytes']
const tokens = createRefreshTokens(keys)
const claims: fc.Arbitrary<RefreshClaim> = fc.record({
  sessionId: fc.uuid(),
  generation: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
})
const login: RefreshClaim = { sessionId: '0b8e4f6c-0f5d-4c58-9d0a-3f7c1a2b3c4d', generation: 0 }

test('what is issued is read', () => {
  const property = fc.property(claims, (claim) => {
    const token = tokens.issue(claim)
    expect(token).toMatch(/^twr_[\w-]{70}$/)
    expect(tokens.issue(claim)).toBe(token)
    expect(tokens.read(token)).toEqual(claim)
  })
  fc.assert(property, { numRuns: 1000 })
})

test('different claims have different tokens', () => {
  const property = fc.property(claims, claims, (one, other) => {
    fc.pre(one.sessionId !== other.sessionId || one.generation !== other.generation)
    expect(tokens.issue(one)).not.toBe(tokens.issue(other))
  })
  fc.assert(property)
})

test('a flipped bit anywhere makes it unknown', () => {
  const token = Buffer.from(tokens.issue(login))
  for (let bit = 0; bit < token.length * 8; bit++) {
    const changed = Buffer.from(token)
    changed[bit >> 3]! ^= 1 << (bit & 7)
    expect(tokens.read(changed.toString('latin1')), `bit ${bit} of the text`).toBeUndefined()
  }
  const bytes = Buffer.from(tokens.issue(login).slice(4), 'base64url')
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const changed = Buffer.from(bytes)
    changed[bit >> 3]! ^= 1 << (bit & 7)
    expect(tokens.read(`twr_${changed.toString('base64url')}`), `bit ${bit} of the bytes`).toBeUndefined()
  }
})

test('no other spelling of the last character is taken', () => {
  const token = tokens.issue(login)
  const bytes = Buffer.from(token.slice(4), 'base64url')
  const spellings = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_']
    .map((last) => token.slice(0, -1) + last)
    .filter((text) => text !== token && Buffer.from(text.slice(4), 'base64url').equals(bytes))
  expect(spellings).toHaveLength(15)
  for (const text of spellings) expect(tokens.read(text)).toBeUndefined()
})

test('truncated or extended it is unknown', () => {
  const token = tokens.issue(login)
  for (let length = 0; length < token.length; length++) {
    expect(tokens.read(token.slice(0, length)), `first ${length}`).toBeUndefined()
    expect(tokens.read(token.slice(token.length - length)), `last ${length}`).toBeUndefined()
  }
  const extra = fc.oneof(fc.string({ minLength: 1 }), fc.constantFrom('=', '==', ' ', '\n', '.', 'A', 'é'))
  const property = fc.property(extra, fc.nat(token.length), (text, at) => {
    expect(tokens.read(token.slice(0, at) + text + token.slice(at))).toBeUndefined()
  })
  fc.assert(property, { numRuns: 1000 })
})

test('any other text is unknown', () => {
  const text = fc.oneof(
    fc.string(),
    fc.base64String().map((rest) => `twr_${rest}`),
    fc
      .uint8Array({ minLength: 52, maxLength: 52 })
      .map((bytes) => `twr_${Buffer.from(bytes).toString('base64url')}`),
  )
  const property = fc.property(text, (token) => {
    expect(tokens.read(token)).toBeUndefined()
  })
  fc.assert(property)
})

test('any of the keys reads, the first signs', () => {
  const [first, second] = keys as [string, string]
  const property = fc.property(claims, fc.string({ minLength: 1 }), (claim, foreign) => {
    fc.pre(!keys.includes(foreign))
    expect(tokens.issue(claim)).toBe(createRefreshTokens([first]).issue(claim))
    expect(tokens.read(createRefreshTokens([second]).issue(claim))).toEqual(claim)
    expect(tokens.read(createRefreshTokens([foreign]).issue(claim))).toBeUndefined()
    expect(createRefreshTokens([second]).read(tokens.issue(claim))).toBeUndefined()
  })
  fc.assert(property)
})

test.each<[string, () => unknown]>([
  ['no key', () => createRefreshTokens([])],
  ['no UUID', () => tokens.issue({ ...login, sessionId: '0b8e4f6c' })],
  ['an upper case UUID', () => tokens.issue({ ...login, sessionId: login.sessionId.toUpperCase() })],
  ['a negative generation', () => tokens.issue({ ...login, generation: -1 })],
  ['a generation of more than 32 bits', () => tokens.issue({ ...login, generation: 2 ** 32 })],
])('refuses to issue: %s', (_, issue) => {
  expect(issue).toThrow()
})
