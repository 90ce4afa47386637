import { parseOptions } from '@node-rs/argon2'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createPasswords, passwordMistake } from './password.ts'

const passwords = createPasswords()
const secret = 'correct horse battery staple'

test('a hash is argon2id of 19 MiB, two passes and one lane, each with its own salt', async () => {
  const hashes = await Promise.all([passwords.hash(secret), passwords.hash(secret)])
  for (const hash of hashes) {
    expect(hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[\w+/]{22}\$[\w+/]{43}$/)
    expect(parseOptions(hash)).toMatchObject({ saltLen: 16, outputLen: 32 })
  }
  expect(hashes[0]).not.toBe(hashes[1])
})

test('the password and no other is right', async () => {
  const hash = await passwords.hash(secret)
  expect(await passwords.verify(secret, hash)).toBe(true)
  for (const wrong of ['', `${secret} `, secret.toUpperCase(), secret.slice(0, -1)]) {
    expect(await passwords.verify(wrong, hash)).toBe(false)
  }
})

test('all of a password counts: what comes after a NUL or the 72nd byte too', async () => {
  const long = 'a'.repeat(127)
  expect(await passwords.verify('abcdefgh\0two', await passwords.hash('abcdefgh\0one'))).toBe(false)
  expect(await passwords.verify(`${long}2`, await passwords.hash(`${long}1`))).toBe(false)
})

test('any password is right in each canonical Unicode form and with any space', async () => {
  const text = fc.string({ unit: fc.constantFrom(...'aé가 ώЙ😀'), minLength: 1, maxLength: 20 })
  const property = fc.asyncProperty(text, async (text) => {
    const hash = await passwords.hash(text.normalize('NFD'))
    expect(await passwords.verify(text.normalize('NFC'), hash)).toBe(true)
    expect(await passwords.verify(text.replaceAll(' ', '\u00a0'), hash)).toBe(true)
  })
  await fc.assert(property, { numRuns: 20 })
})

test('compatible characters are not the same in a password', async () => {
  expect(await passwords.verify('first password', await passwords.hash('ﬁrst password'))).toBe(false)
})

test('an unknown user takes the time of a wrong password, and no password is theirs', async () => {
  const hash = await passwords.hash(secret)
  const times = { known: [] as number[], unknown: [] as number[] }
  for (let i = 0; i < 40; i++) {
    times.known.push(await timed(() => passwords.verify('wrong', hash)))
    times.unknown.push(await timed(() => passwords.verify('wrong', undefined)))
  }
  const ratio = median(times.unknown) / median(times.known)
  expect(ratio).toBeGreaterThan(0.7)
  expect(ratio).toBeLessThan(1.4)
})

async function timed(check: () => Promise<boolean>): Promise<number> {
  const start = performance.now()
  expect(await check()).toBe(false)
  return performance.now() - start
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!
}

test('what is no hash is an error, not a wrong password', async () => {
  await expect(passwords.verify(secret, '')).rejects.toThrow('Decoding failed')
  await expect(passwords.verify(secret, '$2b$10$abcdefghijklmnopqrstuu')).rejects.toThrow('Decoding failed')
})

test('more than run and wait are refused with 503, the others are served in their order', async () => {
  const few = createPasswords({ parallel: 1, waiting: 2 })
  const order: number[] = []
  const served = [0, 1, 2].map(async (i) => order.push(await few.hash(secret).then(() => i)))
  const refused = await few.hash(secret).catch((error) => error)
  expect(refused).toMatchObject({ code: 'unavailable', status: 503, headers: { 'retry-after': '1' } })
  expect(order).toEqual([])
  await Promise.all(served)
  expect(order).toEqual([0, 1, 2])
  expect(await few.verify(secret, await few.hash(secret))).toBe(true)
})

test('a failure gives its place back', async () => {
  const one = createPasswords({ parallel: 1, waiting: 1 })
  const results = await Promise.allSettled([one.verify(secret, 'no hash'), one.hash(secret)])
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled'])
  await expect(one.verify(secret, 'no hash')).rejects.toThrow('Decoding failed')
  expect(await one.verify(secret, undefined)).toBe(false)
})

test.each([
  [1, ['slow', 'slow', 'quick']],
  [2, ['slow', 'quick', 'slow']],
  [3, ['quick', 'slow', 'slow']],
])('%i run at a time', async (parallel, expected) => {
  const own = createPasswords({ parallel })
  const order: string[] = []
  // The second one goes on for longer, so that its place is not the one that becomes free.
  const passes = { first: 60, second: 300, quick: 1 }
  const check = async (name: string, t: number) => {
    const hash = `$argon2id$v=19$m=1024,t=${t},p=1$${'A'.repeat(22)}$${'A'.repeat(43)}`
    await own.verify(secret, hash)
    order.push(name)
  }
  await Promise.all([check('slow', passes.first), check('slow', passes.second), check('quick', passes.quick)])
  expect(order).toEqual(expected)
})

test('hashing leaves the event loop free', async () => {
  let ticks = 0
  const timer = setInterval(() => ticks++, 1)
  await Promise.all(Array.from({ length: 20 }, () => passwords.hash(secret)))
  clearInterval(timer)
  expect(ticks).toBeGreaterThan(20)
})

test.each<[string, string]>([
  ['Password1', 'alice'],
  ['12345678', 'alice'],
  ['ПАРОЛЬ123', 'alice'],
])('%s is refused as common', (password, username) => {
  expect(passwordMistake(password, username)).toMatch(/^is one of the commonest/)
})

test.each<[string, string]>([
  ['mortimer_brew', 'mortimer_brew'],
  ['Mortimer_Brew', 'mortimer_bREW'],
  ['straßenfeger', 'STRASSENFEGER'],
  ['ｍortimer_brew', 'mortimer_brew'],
])('%s is refused to the user %s', (password, username) => {
  expect(passwordMistake(password, username)).toBe('must not be the user name')
})

test('another password is fine', () => {
  expect(passwordMistake(secret, 'alice')).toBeUndefined()
  expect(passwordMistake('mortimer_brew!', 'mortimer_brew')).toBeUndefined()
})
