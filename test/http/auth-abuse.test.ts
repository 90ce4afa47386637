import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { WebSocket } from 'ws'
import { bearer, from, login, PASSWORD, refresh, register, registerAdmin } from '../support/accounts.ts'
import { type Answer, startTestApp, type TestApp } from '../support/app.ts'
import { expectProblem } from '../support/problem.ts'
import { upgrade } from '../support/raw-request.ts'

const GUESSES = 1000
const AT_ONCE = 20
/** Guesses a minute from one address, and at one user from one address. */
const PER_ADDRESS = 60
const PER_USER = 10

/** Runs `call` as often, some at a time. */
async function many<T>(count: number, call: (i: number) => Promise<T>): Promise<T[]> {
  const results: T[] = []
  for (let i = 0; i < count; i += AT_ONCE) {
    const batch = Array.from({ length: Math.min(AT_ONCE, count - i) }, (_, k) => call(i + k))
    results.push(...(await Promise.all(batch)))
  }
  return results
}

function expectThrottled(answers: Answer[], allowed: number, failure: number): void {
  const passed = answers.filter(({ status }) => status !== 429)
  expect(passed.map(({ status }) => status)).toEqual(Array(allowed).fill(failure))
  for (const answer of answers) {
    if (answer.status !== 429) continue
    expectProblem(answer, 429)
    const seconds = Number(answer.headers.get('retry-after'))
    expect(seconds).toBeGreaterThanOrEqual(1)
    expect(seconds).toBeLessThanOrEqual(60)
  }
}

describe.each(['required', 'open'])('%s: 1,000 guesses', (AUTH_MODE) => {
  let app: TestApp
  beforeAll(async () => {
    app = await startTestApp({ AUTH_MODE, TRUST_PROXY: '127.0.0.1' })
    await register(app, 'anna')
  })
  afterAll(() => app[Symbol.asyncDispose]())

  test('at the password of one user: 10 a minute, and then not even the right one', async () => {
    const guess = (password: string, address = '198.51.100.1') =>
      app.send('POST', '/auth/login', { username: 'anna', password }, from(address))
    expectThrottled(await many(GUESSES, (i) => guess(`guess ${i}`)), PER_USER, 401)
    expect((await guess(PASSWORD)).status).toBe(429)
    // Somebody else cannot lock anna out.
    expect((await guess(PASSWORD, '198.51.100.2')).status).toBe(200)
  })

  test('at one user in as many spellings: they are one user', async () => {
    const spellings = ['bob', 'BOB', 'Bob', 'ｂｏｂ', 'bOB']
    const answers = await many(50, (i) =>
      app.send('POST', '/auth/login', { username: spellings[i % 5], password: 'x' }, from('198.51.100.3')),
    )
    expectThrottled(answers, PER_USER, 401)
  })

  test.each([
    ['/auth/login', '198.51.100.4', (i: number) => ({ username: `user${i}`, password: 'x' })],
    ['/auth/refresh', '198.51.100.5', (i: number) => ({ refresh_token: `twr_${i}` })],
    ['/auth/setup', '198.51.100.6', (i: number) => ({ token: `x${i}`, username: 'eve', password: PASSWORD })],
  ])('at %s from one address: 60 a minute', async (path, address, body) => {
    const answers = await many(GUESSES, (i) => app.send('POST', path, body(i), from(address)))
    expectThrottled(answers, PER_ADDRESS, 401)
  })

  test('at names that are taken: 60 a minute', async () => {
    const body = { username: 'anna', password: PASSWORD }
    const answers = await many(200, () => app.send('POST', '/auth/register', body, from('198.51.100.7')))
    expectThrottled(answers, PER_ADDRESS, 409)
  })

  test('at tickets, from all addresses of one IPv6 network: 60 a minute', async () => {
    const codes = await many(GUESSES, (i) => ticketCode(app, `twt_${i}`, `2001:db8:1:2::${i.toString(16)}`))
    expect(codes.filter((code) => code === 4401)).toHaveLength(PER_ADDRESS)
    expect(codes.filter((code) => code === 1013)).toHaveLength(GUESSES - PER_ADDRESS)
  })

  test('what succeeds does not use up the allowance', async () => {
    const address = from('198.51.100.8')
    const credentials = { username: 'anna', password: PASSWORD }
    let { body } = await app.send('POST', '/auth/login', credentials, address)
    for (let i = 0; i < PER_ADDRESS + 10; i++) {
      const answer = await refresh(app, body.refresh_token, address)
      expect([i, answer.status]).toEqual([i, 200])
      body = answer.body
    }
    for (let i = 0; i < PER_USER + 5; i++) {
      const answer = await app.send('POST', '/auth/login', credentials, address)
      expect([i, answer.status]).toEqual([i, 200])
    }
  })
})

/** The close code of a socket that comes with this ticket. */
async function ticketCode(app: TestApp, ticket: string, address: string): Promise<number> {
  const url = `${app.url.replace('http', 'ws')}/ws?ticket=${ticket}`
  const socket = new WebSocket(url, { headers: from(address) })
  onTestFinished(() => socket.terminate())
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  socket.on('close', resolve)
  socket.on('error', reject)
  return promise
}

test('1,000 bad tokens are throttled, and their sender is known by the address', async () => {
  await using app = await startTestApp({
    AUTH_MODE: 'required',
    TRUST_PROXY: '127.0.0.1',
    RATE_LIMIT_PER_MINUTE: '100',
  })
  const anna = await register(app, 'anna')
  const bad = await many(GUESSES, (i) =>
    app.fetch('/tasks', { headers: { ...bearer(`tw_${i}`.padEnd(46, 'A')), ...from('198.51.100.1') } }),
  )
  expectThrottled(bad, 100, 401)
  expect(await upgrade(app, '/ws', { ...bearer('x'), ...from('198.51.100.1') })).toBe(429)
  // A user has an allowance of their own, also where an attacker shares their address.
  const good = await app.fetch('/tasks', {
    headers: { ...bearer(anna.access_token), ...from('198.51.100.1') },
  })
  expect(good.status).toBe(200)
  expect(good.headers.get('ratelimit')).toMatch(/r=9\d;/)
})

test('login takes as long for a name that nobody has', async () => {
  await using app = await startTestApp({ AUTH_MODE: 'required', TRUST_PROXY: '127.0.0.1' })
  await register(app, 'anna')
  await app.database.rows("UPDATE users SET disabled = true WHERE username = 'anna'")
  await register(app, 'bert')
  let calls = 0
  const time = async (username: string): Promise<number> => {
    const started = performance.now()
    const address = from(`198.51.100.${++calls}`)
    const answer = await app.send('POST', '/auth/login', { username, password: 'wrong horse' }, address)
    const elapsed = performance.now() - started
    expectProblem(answer, 401)
    expect(answer.body.detail).toBe('The user name or the password is wrong.')
    return elapsed
  }
  const times: Record<string, number[]> = { bert: [], anna: [], nobody: [] }
  for (let round = 0; round < 15; round++) {
    for (const [username, measured] of Object.entries(times)) measured.push(await time(username))
  }
  const median = (values: number[]) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]
  // A hash is most of it: without one the ratio would be about 4.
  const [known, disabled, unknown] = Object.values(times).map(median) as [number, number, number]
  for (const other of [disabled, unknown]) {
    expect(Math.max(other, known) / Math.min(other, known)).toBeLessThan(2)
  }
})

describe('the last admin', () => {
  let app: TestApp
  beforeAll(async () => {
    app = await startTestApp({ AUTH_MODE: 'required' })
  })
  afterAll(() => app[Symbol.asyncDispose]())
  const admins = () =>
    app.database.rows<{ id: number }>("SELECT id FROM users WHERE role = 'admin' AND NOT disabled")

  test.each([{ role: 'user' }, { disabled: true }, { role: 'user', disabled: true }])(
    'can do %j neither alone, nor when two do it to each other at once',
    async (change) => {
      for (let round = 0; round < 5; round++) {
        const one = await registerAdmin(app, `one-${Object.keys(change).join('-')}-${round}`)
        const other = await registerAdmin(app, `two-${Object.keys(change).join('-')}-${round}`)
        await app.database.rows("UPDATE users SET role = 'user' WHERE id <> ALL ($1)", [
          [one.user.id, other.user.id],
        ])
        const answers = await Promise.all([
          app.send('PATCH', `/users/${other.user.id}`, change, bearer(one.access_token)),
          app.send('PATCH', `/users/${one.user.id}`, change, bearer(other.access_token)),
        ])
        const statuses = answers.map(({ status }) => status).sort()
        // The second may already be told that its token is void, or that it is no admin.
        expect(statuses[0]).toBe(200)
        expect([401, 403, 409]).toContain(statuses[1])
        const [left, ...others] = await admins()
        expect(others).toEqual([])
        const { user, access_token: token } = left!.id === one.user.id ? one : other
        expectProblem(await app.send('PATCH', `/users/${user.id}`, change, bearer(token)), 409)
        expect(await admins()).toEqual([left])
      }
    },
  )

  test('is not made by registering, and a user makes none', async () => {
    const user = await register(app, 'climber')
    expect(user.user.role).toBe('user')
    const answer = await app.send(
      'PATCH',
      `/users/${user.user.id}`,
      { role: 'admin' },
      bearer(user.access_token),
    )
    expectProblem(answer, 403)
    expect((await login(app, 'climber')).user.role).toBe('user')
  })
})
