import { once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { WebSocket } from 'ws'
import { EventStream } from '../../src/events/stream.ts'
import { bearer, from, type Grant, login, PASSWORD, register, registerAdmin } from '../support/accounts.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { eventually } from '../support/eventually.ts'
import { upgrade } from '../support/raw-request.ts'

interface Listener {
  socket: WebSocket
  events: { id: string; type: string; data: { task?: { id: number; user_id: number }; task_id?: number } }[]
  opened: Promise<unknown>
  /** The close code, or the status of a handshake that was refused. */
  closed: Promise<number>
}

let app: TestApp
const open: WebSocket[] = []
beforeAll(async () => {
  app = await startTestApp({ AUTH_MODE: 'required', TRUST_PROXY: '127.0.0.1' })
})
afterEach(() => {
  vi.restoreAllMocks()
  for (const socket of open.splice(0)) socket.terminate()
})
afterAll(() => app[Symbol.asyncDispose]())

let addresses = 0
/** Guesses are limited by address; none of these tests is about that. */
const newAddress = () => from(`10.1.${addresses >> 8}.${addresses++ & 255}`)

function connect(path: string, headers: Record<string, string> = {}, to = app): Listener {
  const socket = new WebSocket(to.url.replace('http', 'ws') + path, {
    headers: { ...newAddress(), ...headers },
  })
  open.push(socket)
  const events: Listener['events'] = []
  socket.on('message', (data) => events.push(JSON.parse(String(data))))
  const closed = new Promise<number>((resolve) => {
    socket.on('close', resolve)
    socket.on('unexpected-response', (outgoing, { statusCode }) => {
      resolve(statusCode!)
      outgoing.destroy()
    })
  })
  socket.on('error', () => {}) // 'close' follows.
  const opened = once(socket, 'open')
  opened.catch(() => {}) // Of use only to those who wait for it.
  return { socket, events, closed, opened }
}

/** A user name that no other test has. */
let users = 0
const newName = () => `user${++users}`
const send = (grant: Grant, method: string, path: string, body?: object) =>
  app.send(method, path, body, bearer(grant.access_token))
const create = async (grant: Grant, title = 'A task'): Promise<{ id: number }> => {
  const { status, body } = await send(grant, 'POST', '/tasks', { title })
  expect(status).toBe(201)
  return body
}
const logout = (grant: Grant) =>
  app.fetch('/auth/logout', { method: 'POST', headers: bearer(grant.access_token) })
async function ticketOf(token: string): Promise<string> {
  const { status, body } = await app.fetch('/auth/ticket', { method: 'POST', headers: bearer(token) })
  expect([status, body]).toEqual([201, { ticket: expect.stringMatching(/^twt_/), expires_in: 30 }])
  return body.ticket
}
async function apiToken(grant: Grant, ...scopes: string[]): Promise<string> {
  const { status, body } = await send(grant, 'POST', '/auth/tokens', { name: 'script', scopes })
  expect(status).toBe(201)
  return body.token
}

const byHeader = (token: string, path = '/ws') => connect(path, bearer(token))
const byTicket = async (token: string, path = '/ws') => connect(`${path}?ticket=${await ticketOf(token)}`)
function byMessage(token: string, path = '/ws'): Listener {
  const listener = connect(path)
  listener.socket.on('open', () => listener.socket.send(JSON.stringify({ type: 'auth', token })))
  return listener
}
const ways: Record<string, (token: string, path?: string) => Listener | Promise<Listener>> = {
  'a header': byHeader,
  'a ticket': byTicket,
  'a first message': byMessage,
}
const wayNames = Object.keys(ways)

/** Writes until it is told of it: who speaks first is not told when they were admitted. */
async function admitted(listener: Listener, grant: Grant): Promise<void> {
  await eventually(async () => {
    await create(grant, 'Am I heard?')
    return listener.events.length > 0
  }, 'it is admitted')
}

describe.each(wayNames)('who comes by %s', (name) => {
  const come = ways[name]!

  test('is let in with an access token and with an API token that may read', async () => {
    const anna = await register(app, newName())
    for (const token of [anna.access_token, await apiToken(anna, 'read')]) {
      for (const path of ['/ws', '/ws/tasks']) await admitted(await come(token, path), anna)
    }
  })

  test('hears nothing before the first event: no greeting', async () => {
    const anna = await register(app, newName())
    const listener = await come(anna.access_token)
    await admitted(listener, anna)
    expect(listener.events[0]!.type).toBe('task_created')
  })
})

test.each(['a header', 'a ticket'])(
  'who comes by %s hears of what they do as soon as it is open',
  async (name) => {
    const anna = await register(app, newName())
    for (let round = 0; round < 40; round++) {
      const listener = await ways[name]!(anna.access_token)
      const before = await create(anna, `Before ${round}`)
      await listener.opened
      const { id } = await create(anna, `After ${round}`)
      await eventually(() => listener.events.some(({ data }) => data.task?.id === id), `event of task ${id}`)
      const heard = listener.events.map(({ data }) => data.task!.id)
      expect([[id], [before.id, id]]).toContainEqual(heard)
      listener.socket.close()
    }
  },
)

test('no token in the header that is not valid: 401 before the handshake', async () => {
  const anna = await register(app, newName())
  const { refresh_token: refreshToken, access_token: token } = anna
  const wrong = ['x', refreshToken, `${token}x`, `tw_${'a'.repeat(43)}`, await ticketOf(token)]
  for (const one of wrong) expect(await upgrade(app, '/ws', bearer(one))).toBe(401)
  expect(await upgrade(app, '/ws', { authorization: `Basic ${btoa('anna:secret')}` })).toBe(401)
  await logout(anna)
  expect(await upgrade(app, '/ws', bearer(token))).toBe(401)
})

test('no first message but with a valid token: 4401', async () => {
  const anna = await register(app, newName())
  const wrong = ['x', '', anna.refresh_token, `${anna.access_token}x`, await ticketOf(anna.access_token)]
  for (const token of wrong) expect(await byMessage(token).closed).toBe(4401)
  for (const message of ['hello', '{}', '{"type":"auth"}', '{"type":"auth","token":1}', '[]', 'null']) {
    const { socket, closed, opened } = connect('/ws/tasks')
    await opened
    socket.send(message)
    expect([message, await closed]).toEqual([message, 4401])
  }
})

test('who has not said who they are hears nothing, whatever happens', async () => {
  const anna = await register(app, newName())
  const silent = connect('/ws')
  await silent.opened
  const listener = byHeader(anna.access_token)
  await listener.opened
  await create(anna)
  await eventually(() => listener.events.length === 1, 'the other hears it')
  // All frames of a socket come in order, so the answer to a ping is behind whatever was sent before.
  silent.socket.ping()
  await once(silent.socket, 'pong')
  expect(silent.events).toEqual([])
})

test('a token without the scope read: 403 by header and ticket, 4403 by message', async () => {
  const anna = await register(app, newName())
  const token = await apiToken(anna, 'write')
  expect(await upgrade(app, '/ws', bearer(token))).toBe(403)
  expect(await upgrade(app, '/ws/tasks', bearer(token))).toBe(403)
  expect(await byMessage(token).closed).toBe(4403)
  const refused = await app.fetch('/auth/ticket', { method: 'POST', headers: bearer(token) })
  expect(refused.status).toBe(403)
})

describe('a ticket', () => {
  const redeem = (ticket: string) => connect(`/ws?ticket=${encodeURIComponent(ticket)}`).closed

  test('lets in once', async () => {
    const anna = await register(app, newName())
    const ticket = await ticketOf(anna.access_token)
    const first = connect(`/ws?ticket=${ticket}`)
    await admitted(first, anna)
    expect(await redeem(ticket)).toBe(4401)
    expect(first.socket.readyState).toBe(WebSocket.OPEN)
  })

  test('brought by ten at once lets in one', async () => {
    const anna = await register(app, newName())
    const ticket = await ticketOf(anna.access_token)
    const listeners = Array.from({ length: 10 }, () => connect(`/ws?ticket=${ticket}`))
    await Promise.all(listeners.map(({ opened }) => opened))
    const closed: number[] = []
    for (const listener of listeners) void listener.closed.then((code) => closed.push(code))
    await eventually(() => closed.length >= 9, 'nine are refused')
    expect(closed).toEqual(Array(9).fill(4401))
    await create(anna)
    await eventually(() => listeners.flatMap(({ events }) => events).length === 1, 'one hears')
  })

  test.each([
    ['is no ticket', async () => 'twt_x'],
    ['is empty', async () => ''],
    ['is an access token', async (anna: Grant) => anna.access_token.slice(0, 200)],
    [
      'has expired',
      async (anna: Grant) => {
        const ticket = await ticketOf(anna.access_token)
        await app.database.rows('UPDATE tickets SET expires_at = clock_timestamp()')
        return ticket
      },
    ],
    [
      'is of a session that has ended',
      async (anna: Grant) => {
        const ticket = await ticketOf(anna.access_token)
        expect((await logout(anna)).status).toBe(204)
        return ticket
      },
    ],
    [
      'was made with an API token that has expired',
      async (anna: Grant) => {
        const ticket = await ticketOf(await apiToken(anna, 'read'))
        await app.database.rows('UPDATE api_tokens SET expires_at = clock_timestamp() WHERE user_id = $1', [
          anna.user.id,
        ])
        return ticket
      },
    ],
  ])('that %s: 4401', async (_what, ticketFor) => {
    const anna = await register(app, newName())
    expect(await redeem(await ticketFor(anna))).toBe(4401)
  })

  test('of another session of the user is good after a logout', async () => {
    const anna = await register(app, newName())
    const other = await login(app, anna.user.username)
    const ticket = await ticketOf(other.access_token)
    await logout(anna)
    await admitted(connect(`/ws?ticket=${ticket}`), other)
  })

  test('is neither logged nor kept', async () => {
    const anna = await register(app, newName())
    const ticket = await ticketOf(anna.access_token)
    const [kept] = await app.database.rows<{ all: string }>('SELECT json_agg(t)::text AS all FROM tickets t')
    expect(kept!.all).not.toContain(ticket)
    expect(await redeem(`${ticket}x`)).toBe(4401)
    await admitted(connect(`/ws?ticket=${ticket}`), anna)
    expect(JSON.stringify(app.logged)).not.toContain(ticket)
  })
})

test('two users and an admin who listen while all write hear exactly what each may see, in order', async () => {
  const [anna, bert] = [await register(app, newName()), await register(app, newName())]
  const admin = await registerAdmin(app, newName())
  const people = [anna, bert, admin]
  const listeners = await Promise.all(
    people.flatMap(({ access_token: token }) => [byHeader(token), byTicket(token, '/ws/tasks')]),
  )
  await Promise.all(listeners.map(({ opened }) => opened))
  const who = fc.nat({ max: 2 })
  const step = fc.record({
    who,
    do: fc.constantFrom('create', 'create', 'patch', 'delete', 'restore'),
    which: fc.nat({ max: 30 }),
  })
  const property = fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 40 }), async (steps) => {
    const [{ head }] = (await app.database.rows<{ head: number }>(
      'SELECT coalesce(max(id), 0) AS head FROM events',
    )) as [{ head: number }]
    for (const { events } of listeners) events.length = 0
    const mine: number[][] = [[], [], []]
    // Each person does one thing after the other, all at once; an admin changes what is the others', too.
    await Promise.all(
      people.map(async (grant, index) => {
        for (const one of steps.filter((other) => other.who === index)) {
          if (one.do === 'create') mine[index]!.push((await create(grant)).id)
          const reachable = index === 2 ? mine.flat() : mine[index]!
          const id = reachable[one.which % reachable.length]
          if (id === undefined || one.do === 'create') continue
          if (one.do === 'patch') await send(grant, 'PATCH', `/tasks/${id}`, { title: `Title ${one.which}` })
          else if (one.do === 'delete')
            await app.fetch(`/tasks/${id}`, { method: 'DELETE', headers: bearer(grant.access_token) })
          else
            await app.fetch(`/tasks/${id}/restore`, { method: 'POST', headers: bearer(grant.access_token) })
        }
      }),
    )
    const stored = await app.database.rows<{ id: number; type: string; owner: number }>(
      `SELECT e.id, e.type, t.user_id AS owner FROM events e
        JOIN tasks t ON t.id = coalesce(e.data->>'id', e.data->>'task_id')::integer WHERE e.id > $1 ORDER BY e.id`,
      [head],
    )
    for (const [index, { events }] of listeners.entries()) {
      const { user } = people[Math.floor(index / 2)]!
      const may = stored.filter(({ owner }) => user.role === 'admin' || owner === user.id)
      await eventually(() => events.length >= may.length, 'all that they may see')
      const told = events.map(({ id, type }) => [Number(id), type])
      expect(told).toEqual(may.map(({ id, type }) => [id, type]))
      if (user.role === 'admin') continue
      for (const { data } of events) if (data.task) expect(data.task.user_id).toBe(user.id)
    }
  })
  await fc.assert(property, { numRuns: 8, endOnFailure: true })
  // What was sent to somebody else by mistake would have come by now.
  expect(listeners.map(({ socket }) => socket.readyState)).toEqual(listeners.map(() => WebSocket.OPEN))
})

/** Ends the credential by a row alone, as another process would. */
const elsewhere = ({ access_token: token, user }: Grant) =>
  app.database.rows('INSERT INTO revocations (user_id, session_id) VALUES ($1, $2)', [
    user.id,
    JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()).sid,
  ])

describe.each([
  ['on this process', logout],
  ['on another', elsewhere],
])('a session that ends %s', (_where, end) => {
  test.each(wayNames)('while a socket of it comes by %s leaves none open', async (name) => {
    const anna = await register(app, newName())
    const late: string[] = []
    const round = async (number: number) => {
      const credentials = { username: anna.user.username, password: PASSWORD }
      const { status, body: grant } = await app.send('POST', '/auth/login', credentials, newAddress())
      expect(status).toBe(200)
      const isTicket = name === 'a ticket'
      const ticket = isTicket ? await ticketOf(grant.access_token) : ''
      const coming = isTicket ? connect(`/ws?ticket=${ticket}`) : ways[name]!(grant.access_token)
      // Somewhere between the handshake and the first event.
      for (let waited = 0; waited < number % 40; waited++) await turn()
      await end(grant)
      const began = performance.now()
      const { closed } = await coming
      const code = await closed
      if (![401, 4401].includes(code)) late.push(`round ${number}: ${code}`)
      return performance.now() - began
    }
    const took: number[] = []
    for (let first = 0; first < 80; first += 20)
      took.push(...(await Promise.all(Array.from({ length: 20 }, (_, i) => round(first + i)))))
    expect(late).toEqual([])
    expect(Math.max(...took)).toBeLessThan(2000)
  })
})

test.each(wayNames)(
  'a session that ends just before its socket by %s is admitted leaves it closed',
  async (name) => {
    const anna = await register(app, newName())
    const { promise: held, resolve: release } = Promise.withResolvers<void>()
    const { subscribe } = EventStream.prototype
    let isComing = false
    vi.spyOn(EventStream.prototype, 'subscribe').mockImplementation(async function (
      this: EventStream,
      ...given
    ) {
      const subscription = await subscribe.apply(this, given)
      isComing = true
      await held
      return subscription
    })
    const listener = await ways[name]!(anna.access_token)
    await eventually(() => isComing, 'it is about to be admitted')
    // All sockets of the user have been closed when this is answered; this one was not among them.
    expect((await logout(anna)).status).toBe(204)
    release()
    expect(await listener.closed).toBe(4401)
    expect(listener.events).toEqual([])
  },
)

test('in open mode a token is honoured, a wrong one refused, and no token is the operator', async () => {
  await using free = await startTestApp({ AUTH_MODE: 'open' })
  const anna = await register(free, 'anna')
  const operator = connect('/ws', {}, free)
  const own = connect('/ws', bearer(anna.access_token), free)
  await Promise.all([operator.opened, own.opened])
  expect(await upgrade(free, '/ws', bearer('x'))).toBe(401)
  expect(await connect('/ws?ticket=twt_x', {}, free).closed).toBe(4401)
  await free.send('POST', '/tasks', { title: 'Of nobody' })
  await free.send('POST', '/tasks', { title: 'Of anna' }, bearer(anna.access_token))
  await eventually(() => operator.events.length === 2, 'the operator sees both')
  await eventually(() => own.events.length > 0, 'anna sees hers')
  expect(own.events.map(({ data }) => data.task!.user_id)).toEqual([anna.user.id])
})
