import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { promisedDigest, reprDigest } from './digest.ts'

const base64 = (algorithm: string, text: string) => createHash(algorithm).update(text).digest('base64')

function verify(headers: Record<string, string>, ...chunks: string[]): void {
  const digest = promisedDigest(headers)!
  for (const chunk of chunks) digest.update(Buffer.from(chunk))
  digest.verify()
}

const right = `sha-256=:${base64('sha256', 'hello')}:`
const long = `sha-512=:${base64('sha512', 'hello')}:`
const broken = expect.objectContaining({ code: 'bad-request' })

test('a body is what its digest says, in however many pieces it comes', () => {
  for (const name of ['content-digest', 'repr-digest']) {
    verify({ [name]: right }, 'hello')
    verify({ [name]: `${long}, ${right}` }, 'he', '', 'llo')
    expect(() => verify({ [name]: right }, 'hello!')).toThrow(broken)
    expect(() => verify({ [name]: `${right},sha-512=:${base64('sha512', 'x')}:` }, 'hello')).toThrow(broken)
  }
  verify({ 'content-digest': right, 'repr-digest': long }, 'hello')
  expect(() => verify({ 'content-digest': right, 'repr-digest': 'sha-256=:AAAA:' }, 'hello')).toThrow(broken)
})

test('without a digest that is understood nothing is promised', () => {
  expect(promisedDigest({})).toBeUndefined()
  expect(promisedDigest({ 'content-digest': 'md5=:AAAA:, unixsum=:AAAA:' })).toBeUndefined()
})

test.each(['', 'sha-256', 'sha-256=abc', 'sha-256="abc"', 'SHA-256=:AAAA:', `${right},`, 'sha-256=:!:'])(
  '%j is no digest',
  (header) => {
    expect(() => promisedDigest({ 'content-digest': header })).toThrow(broken)
  },
)

test('an answer tells its digest in the same way', () => {
  expect(reprDigest(createHash('sha256').update('hello').digest('hex'))).toBe(right)
})
