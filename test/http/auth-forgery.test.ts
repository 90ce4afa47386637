import { createHash, createHmac, generateKeyPairSync, hkdfSync, randomUUID, sign } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bearer, type Grant, login, refresh, register } from '../support/accounts.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { listen } from '../support/listener.ts'
import { expectProblem } from '../support/problem.ts'
import { upgrade } from '../support/raw-request.ts'

const SECRET = 'the-secret-key-of-this-very-test-file-0123456789'
const OTHER = 'another-secret-key-that-nobody-configured-0123456'
const LIFETIME = 30 * 60

type Json = Record<string, unknown>
const encoded = (value: Json) => Buffer.from(JSON.stringify(value)).toString('base64url')
const decoded = (part: string): Json => JSON.parse(Buffer.from(part, 'base64url').toString())
/** RFC 5869, as the server derives its keys. */
const derived = (secret: string, purpose = 'access token') =>
  Buffer.from(hkdfSync('sha256', secret, '', `taskwire ${purpose}`, 32))
const kid = (key: Buffer) => createHash('sha256').update(key).digest('hex').slice(0, 8)

function seal(header: Json, claims: Json, key: Buffer | string, hash = 'sha256'): string {
  const text = `${encoded(header)}.${encoded(claims)}`
  return `${text}.${createHmac(hash, key).update(text).digest('base64url')}`
}

const key = derived(SECRET)
const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString()

let app: TestApp
let anna: Grant
let header: Json
let claims: Json
beforeAll(async () => {
  app = await startTestApp({ AUTH_MODE: 'open', SECRET_KEY: SECRET })
  anna = await register(app, 'anna')
  const [first, second] = anna.access_token.split('.')
  header = decoded(first!)
  claims = decoded(second!)
})
afterAll(() => app[Symbol.asyncDispose]())
const me = (token: string) => app.fetch('/auth/me', { headers: bearer(token) })

test('a token made as the server makes them is taken, so that the tricks below fail by what they change', async () => {
  expect(header).toEqual({ alg: 'HS256', typ: 'at+jwt', kid: kid(key) })
  expect(Number(claims.exp) - Number(claims.iat)).toBe(LIFETIME)
  const made = seal(header, { ...claims, jti: randomUUID() }, key)
  expect(await me(made)).toMatchObject({ status: 200, body: { username: 'anna' } })
})

const now = Math.floor(Date.now() / 1000)
const other = derived(OTHER)
const tricks: Record<string, () => string> = {
  'alg none': () => `${encoded({ ...header, alg: 'none' })}.${encoded(claims)}.`,
  'alg none, signed all the same': () => seal({ ...header, alg: 'none' }, claims, key),
  'alg nOnE': () => `${encoded({ ...header, alg: 'nOnE' })}.${encoded(claims)}.`,
  'no alg': () => seal({ typ: 'at+jwt', kid: kid(key) }, claims, key),
  'no signature': () => `${encoded(header)}.${encoded(claims)}.`,
  'alg HS512 with the right key': () => seal({ ...header, alg: 'HS512' }, claims, key, 'sha512'),
  'alg HS384 with the right key': () => seal({ ...header, alg: 'HS384' }, claims, key, 'sha384'),
  'alg RS256': () => {
    const text = `${encoded({ ...header, alg: 'RS256' })}.${encoded(claims)}`
    return `${text}.${sign('sha256', Buffer.from(text), privateKey).toString('base64url')}`
  },
  'a public key as the secret': () => seal({ ...header, kid: kid(Buffer.from(pem)) }, claims, pem),
  'a key of the header (jwk)': () =>
    seal({ ...header, jwk: { kty: 'oct', k: other.toString('base64url') } }, claims, other),
  'a key from elsewhere (jku)': () => seal({ ...header, jku: 'https://evil.example/keys' }, claims, other),
  'an unknown extension (crit)': () => seal({ ...header, crit: ['b64'], b64: false }, claims, key),
  'another secret': () => seal({ ...header, kid: kid(other) }, claims, other),
  'another secret under our key id': () => seal(header, claims, other),
  'the secret itself, not the key derived of it': () => seal(header, claims, SECRET),
  'an empty key': () => seal(header, claims, ''),
  'the key of setup tokens': () => {
    const setup = derived(SECRET, 'setup token')
    return seal({ ...header, kid: kid(setup) }, claims, setup)
  },
  'no key id': () => seal({ alg: 'HS256', typ: 'at+jwt' }, claims, key),
  'a key id that is a path': () => seal({ ...header, kid: '../../dev/null' }, claims, ''),
  'another typ': () => seal({ ...header, typ: 'JWT' }, claims, key),
  'the typ of setup tokens': () => seal({ ...header, typ: 'setup+jwt' }, claims, key),
  'no typ': () => seal({ alg: 'HS256', kid: kid(key) }, claims, key),
  'another audience': () => seal(header, { ...claims, aud: 'other' }, key),
  'several audiences': () => seal(header, { ...claims, aud: ['taskwire', 'other'] }, key),
  'no audience': () => seal(header, { ...claims, aud: undefined }, key),
  'another issuer': () => seal(header, { ...claims, iss: 'https://evil.example' }, key),
  'no issuer': () => seal(header, { ...claims, iss: undefined }, key),
  'that it has expired': () => seal(header, { ...claims, iat: now - 3600, exp: now - 1 }, key),
  'no expiry': () => seal(header, { ...claims, exp: undefined }, key),
  'an expiry that is text': () => seal(header, { ...claims, exp: '9999999999' }, key),
  'that it begins later (nbf)': () => seal(header, { ...claims, nbf: now + 3600 }, key),
  'that it was issued in future': () => seal(header, { ...claims, iat: now + 3600 }, key),
  'another user': () => seal(header, { ...claims, sub: '2147483647' }, key),
  'a user that is SQL': () => seal(header, { ...claims, sub: '1 OR 1=1' }, key),
  'a user that is a number': () => seal(header, { ...claims, sub: anna.user.id }, key),
  'an earlier epoch': () => seal(header, { ...claims, epoch: -1 }, key),
  'an epoch to come': () => seal(header, { ...claims, epoch: 7 }, key),
  'a session that is no UUID': () => seal(header, { ...claims, sid: '' }, key),
  'claims changed after signing': () => {
    const [first, , third] = anna.access_token.split('.')
    return `${first}.${encoded({ ...claims, role: 'admin' })}.${third}`
  },
  'another last character, which decoders read alike': () => `${anna.access_token.slice(0, -1)}B`,
  'a part more': () => `${anna.access_token}.x`,
}

test.each(Object.keys(tricks))('a token with %s is 401, over HTTP and for a socket', async (name) => {
  const token = tricks[name]!()
  const answer = await me(token)
  expectProblem(answer, 401)
  expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer/)
  // Open to who has no token, and all the same not to who has a wrong one.
  expect((await app.fetch('/tasks', { headers: bearer(token) })).status).toBe(401)
  expect(await upgrade(app, '/ws', bearer(token))).toBe(401)
})

test('an access token is no refresh token, and the reverse', async () => {
  expectProblem(await refresh(app, anna.access_token), 401)
  expectProblem(await me(anna.refresh_token), 401)
  expect(await upgrade(app, '/ws', bearer(anna.refresh_token))).toBe(401)
  expect((await refresh(app, anna.refresh_token)).status).toBe(200)
})

test('a session that has ended is of no use, even in a new token with the right key', async () => {
  const bert = await register(app, 'bert')
  const [, second] = bert.access_token.split('.')
  const remade = () => seal(header, { ...decoded(second!), jti: randomUUID() }, key)
  expect((await me(remade())).status).toBe(200)
  expect(
    (await app.fetch('/auth/logout', { method: 'POST', headers: bearer(bert.access_token) })).status,
  ).toBe(204)
  expectProblem(await me(remade()), 401)
  expectProblem(await me(bert.access_token), 401)
  expectProblem(await refresh(app, bert.refresh_token), 401)
})

test('a ticket opens one socket, and is neither a bearer nor a refresh token', async () => {
  const { access_token: token } = await login(app, 'anna')
  const { body, status } = await app.fetch('/auth/ticket', { method: 'POST', headers: bearer(token) })
  expect(status).toBe(201)
  expectProblem(await me(body.ticket), 401)
  expectProblem(await refresh(app, body.ticket), 401)
  const url = `${app.url.replace('http', 'ws')}/ws/tasks?ticket=${body.ticket}`
  expect((await listen(url)).isOpen).toBe(true)
  expect(await (await listen(url)).closed).toBe(4401)
})
