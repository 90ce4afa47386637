import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bearer, from, type Grant, PASSWORD, register, registerAdmin } from '../support/accounts.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { expectProblem } from '../support/problem.ts'

/** The smallest body that is beyond the 4 KB of these routes. */
const TOO_LARGE = JSON.stringify({ username: 'anna', password: 'x'.repeat(4096) })

let app: TestApp
let admin: Grant
beforeAll(async () => {
  app = await startTestApp({ AUTH_MODE: 'required', TRUST_PROXY: '127.0.0.1' })
  admin = await registerAdmin(app, 'admin')
})
afterAll(() => app[Symbol.asyncDispose]())

const form = { 'content-type': 'application/x-www-form-urlencoded' }
const json = { 'content-type': 'application/json' }
let addresses = 0
/** An address nobody called from yet, so that guesses elsewhere do not matter. */
const newcomer = () => from(`198.18.${addresses >> 8}.${addresses++ & 255}`)
const users = () => app.database.rows<{ username: string; role: string }>('SELECT username, role FROM users')

const bodies: Record<string, object> = {
  '/auth/register': { username: 'newcomer', password: PASSWORD },
  '/auth/login': { username: 'admin', password: PASSWORD },
  '/auth/refresh': { refresh_token: 'twr_x' },
  '/auth/password': { current_password: PASSWORD, new_password: PASSWORD },
  '/auth/tokens': { name: 'x', scopes: ['read'] },
  '/auth/setup': { token: 'x', username: 'newcomer', password: PASSWORD },
}

test.each(['role', 'id', 'disabled', 'token_epoch', 'is_admin', '__proto__', 'constructor'])(
  'a field "%s" that nobody asked for is 422 at every route of accounts, and nobody is made or changed',
  async (field) => {
    const before = await users()
    for (const [path, body] of Object.entries(bodies)) {
      // By text, so that `__proto__` stays a field.
      const text = `${JSON.stringify(body).slice(0, -1)},${JSON.stringify(field)}:"admin"}`
      const headers = { ...json, ...newcomer(), ...bearer(admin.access_token) }
      const answer = await app.fetch(path, { method: 'POST', body: text, headers })
      expect([path, answer.status]).toEqual([path, 422])
      expectProblem(answer, 422)
    }
    expect(await users()).toEqual(before)
  },
)

test.each([
  ['Jürgen', 'JÜRGEN'],
  ['Zoe\u0301', 'zoé'],
  ['straße', 'STRASSE'],
  ['ｂｏｂ９', 'Bob9'],
  ['Σοφός', 'ΣΟΦΌΣ'],
])('%s and %s are one user: the second is 409, and logs in as the first', async (name, other) => {
  await register(app, name)
  const answer = await app.send('POST', '/auth/register', { username: other, password: PASSWORD })
  expectProblem(answer, 409)
  const { body } = await app.send('POST', '/auth/login', { username: other, password: PASSWORD })
  expect(body.user.username).toBe(name.normalize('NFKC'))
})

test('of 20 who register one name at once, in many spellings, one gets it', async () => {
  const names = Array.from({ length: 20 }, (_, i) => (i % 2 ? 'Rivale\u0301' : 'rivalé'))
  const answers = await Promise.all(
    names.map((username) => app.send('POST', '/auth/register', { username, password: PASSWORD })),
  )
  expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array(19).fill(409)])
})

test.each([
  ['too short', 'seven77', /at least 8|8 char/i],
  ['one of the commonest', 'password1', /commonest/],
  ['the user name', 'Candidate', /user name/],
  ['with a NUL', 'correct\0horse', /NUL/i],
  ['too long', 'x'.repeat(129), /128/],
])('a password that is %s is 422 and not repeated', async (_what, password, reason) => {
  const answer = await app.send('POST', '/auth/register', { username: 'candidate', password })
  expectProblem(answer, 422)
  expect(answer.body.errors).toEqual([{ path: 'body.password', message: expect.stringMatching(reason) }])
  if (password !== 'Candidate') expect(JSON.stringify(answer.body)).not.toContain(password)
})

test.each(['ab', 'a b', 'a@b', '', 'x'.repeat(65), 'abc\u202e', 'abc\0', '<script>'])(
  'the user name %j is 422',
  async (username) => {
    expectProblem(await app.send('POST', '/auth/register', { username, password: PASSWORD }), 422)
  },
)

test.each(Object.keys(bodies))('a body over 4 KB at %s is 413, below it is read', async (path) => {
  const headers = { ...json, ...newcomer(), ...bearer(admin.access_token) }
  expectProblem(await app.fetch(path, { method: 'POST', headers, body: TOO_LARGE }), 413)
  const padded = JSON.stringify({ field: 'x' }).padEnd(4096)
  expectProblem(await app.fetch(path, { method: 'POST', headers, body: padded }), 422)
})

describe('forms', () => {
  const post = (path: string, body: string) =>
    app.fetch(path, { method: 'POST', headers: { ...form, ...newcomer() }, body })

  test('login takes the form of OAuth 2.0, with its empty fields', async () => {
    const fields = { grant_type: 'password', username: 'admin', password: PASSWORD, scope: '', client_id: '' }
    const answer = await post('/auth/login', `${new URLSearchParams(fields)}`)
    expect(answer).toMatchObject({ status: 200, body: { user: { username: 'admin' } } })
  })

  test.each([
    ['a field twice', 'username=admin&username=bob&password=x', 422],
    ['the password twice', `username=admin&password=x&password=${PASSWORD}`, 422],
    ['an unknown field', `username=admin&password=${PASSWORD}&role=admin`, 422],
    ['another grant', `username=admin&password=${PASSWORD}&grant_type=client_credentials`, 422],
    ['no password', 'username=admin', 422],
    ['nothing', '', 422],
    ['broken percent-encoding', 'username=%zz&password=x', 400],
    ['half a character', 'username=%C3&password=x', 400],
    ['a NUL', 'username=%00&password=x', 422],
    ['a proto', 'username=admin&password=x&__proto__=x', 422],
    ['more than 4 KB', `username=admin&password=${'x'.repeat(4100)}`, 413],
  ])('%s is refused', async (_what, body, status) => {
    for (const path of ['/auth/login', '/auth/setup']) expectProblem(await post(path, body), status)
  })

  test.each(['/auth/register', '/auth/refresh', '/auth/password', '/auth/tokens'])(
    'are 415 at %s, so that a page of another site cannot post one',
    async (path) => {
      const headers = { ...form, ...newcomer(), ...bearer(admin.access_token) }
      expectProblem(await app.fetch(path, { method: 'POST', headers, body: 'username=anna' }), 415)
    },
  )
})

test('whatever is sent to a route of accounts, the answer is no 500, and problem details where it fails', async () => {
  const wild = fc.string({
    unit: fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)),
  })
  const field = fc.constantFrom(...Object.values(bodies).flatMap(Object.keys), 'role', 'grant_type', 'scope')
  const value = fc.oneof({ weight: 3, arbitrary: fc.oneof(fc.string(), wild) }, fc.jsonValue())
  const body = fc.oneof(
    { weight: 4, arbitrary: fc.dictionary(field, value).map((fields) => JSON.stringify(fields)) },
    fc.jsonValue().map((any) => JSON.stringify(any)),
    fc.string(),
    fc.dictionary(field, fc.string({ unit: 'grapheme' })).map((fields) => `${new URLSearchParams(fields)}`),
  )
  const request = fc.record({
    path: fc.constantFrom(...Object.keys(bodies), '/auth/ticket', '/auth/nowhere'),
    type: fc.constantFrom('application/json', form['content-type'], 'text/plain'),
    authorization: fc.constantFrom(
      undefined,
      'Bearer x',
      `Bearer ${admin.refresh_token}`,
      `Bearer ${admin.access_token}`,
    ),
    body,
  })
  const property = fc.asyncProperty(request, async ({ path, type, authorization, body }) => {
    const headers = { 'content-type': type, ...newcomer(), ...(authorization && { authorization }) }
    const answer = await app.fetch(path, { method: 'POST', headers, body: body.toWellFormed() })
    expect(answer.status).toBeLessThan(500)
    if (answer.status >= 400) expectProblem(answer, answer.status)
  })
  await fc.assert(property, { numRuns: 600 })
  expect(app.logged.filter(({ level }) => Number(level) >= 50)).toEqual([])
})
