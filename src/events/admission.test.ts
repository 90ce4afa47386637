import { EventEmitter } from 'node:events'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { WebSocket } from 'ws'
import { eventually } from '../../test/support/eventually.ts'
import { type Actor, anonymous, operator, type Scope, type UserActor } from '../core/actor.ts'
import { unauthenticated } from '../core/authorization.ts'
import { DomainError } from '../core/errors.ts'
import {
  admitReader,
  firstToken,
  refuseSocket,
  type SocketAuthenticator,
  type SubscriptionRequest,
} from './admission.ts'
import type { EventFilter } from './reader-groups.ts'
import type { EventStream } from './stream.ts'

/** A socket of which only the events, and what it is closed with, are real. */
class Ear extends EventEmitter {
  closes: [number, string][] = []
  close = (code: number, reason: string) => void this.closes.push([code, reason])
  hear = (message: string) => this.emit('message', Buffer.from(message))
}
const asSocket = (ear: Ear) => ear as unknown as WebSocket

/** The close code that a client would see. */
function codeOf(error: unknown): number | undefined {
  const ear = new Ear()
  refuseSocket(asSocket(ear), error)
  expect(ear.closes).toHaveLength(1)
  // RFC 6455, section 5.5: a control frame holds 125 bytes, two of them the code.
  expect(Buffer.byteLength(ear.closes[0]![1])).toBeLessThanOrEqual(123)
  return ear.closes[0]![0]
}
const refusalOf = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error) => codeOf(error),
  )

const auth = (token: unknown) => JSON.stringify({ type: 'auth', token })

test('the token of the first message, and nothing that comes later', async () => {
  const ear = new Ear()
  const token = firstToken(asSocket(ear))
  ear.hear(auth('one'))
  ear.hear(auth('two'))
  expect(await token).toBe('one')
})

test('without a message in time it is 4408, and not before', async () => {
  const began = performance.now()
  expect(await refusalOf(firstToken(asSocket(new Ear()), 50))).toBe(4408)
  expect(performance.now() - began).toBeGreaterThan(45)
})

test('who goes away before is not waited for', async () => {
  const ear = new Ear()
  const refusal = refusalOf(firstToken(asSocket(ear), 60_000))
  ear.emit('close')
  expect(await refusal).toBeDefined()
})

test('any first message that is no auth message is 4401', async () => {
  const other = fc.oneof(
    fc.string(),
    fc.json(),
    fc.record({ type: fc.string(), token: fc.jsonValue() }).map((message) => JSON.stringify(message)),
    fc.constantFrom(
      '',
      'null',
      '[]',
      '"auth"',
      '{"type":"auth"}',
      '{"token":"x"}',
      '{"type":"AUTH","token":"x"}',
    ),
    fc.jsonValue().map((token) => auth(typeof token === 'string' ? [token] : token)),
  )
  const property = fc.asyncProperty(other, async (message) => {
    const ear = new Ear()
    const refusal = refusalOf(firstToken(asSocket(ear)))
    ear.hear(message)
    expect(await refusal).toBe(4401)
  })
  await fc.assert(property, { numRuns: 500 })
})

test('what went wrong is told by the close code, without details of the server', () => {
  expect(codeOf(unauthenticated('A token is needed.'))).toBe(4401)
  expect(codeOf(new DomainError('forbidden', 'x'.repeat(500)))).toBe(4403)
  for (const error of [
    new DomainError('too-many-requests', 'later'),
    new DomainError('unavailable', 'later'),
    new Error('SELECT secret FROM users'),
    'text',
  ]) {
    expect(codeOf(error)).toBe(1013)
    const ear = new Ear()
    refuseSocket(asSocket(ear), error)
    expect(ear.closes[0]![1]).toBe('try again later')
  }
})

const user = (scopes: Scope[], role: UserActor['role'] = 'user'): UserActor => ({
  kind: 'user',
  id: 5,
  username: 'anna',
  role,
  scopes,
  epoch: 0,
})
const wanted: SubscriptionRequest = {
  types: new Set(['task_created']),
  encoding: 'websocket',
  after: undefined,
}

/** Takes a place; `scopes` are those of the subscriptions that were made. */
async function arrive(find: () => Promise<Actor | undefined>) {
  const scopes: string[] = []
  let marks = 0
  const stream = {
    subscribe: async ({ scope }: EventFilter) => {
      scopes.push(scope.key)
      return { open() {}, close() {} }
    },
  }
  const gate = { mark: () => ++marks }
  const place = admitReader(
    stream as unknown as EventStream,
    gate as unknown as SocketAuthenticator,
    wanted,
    async () => {
      // A revocation during the lookup of the token must count.
      expect(marks).toBe(1)
      return find()
    },
  )
  return { place, scopes }
}

test.each([
  ['a user subscribes to events of their own resources', user(['read', 'write']), 'user:5'],
  ['an API token with the scope read does too', { ...user(['read']), tokenId: 1 }, 'user:5'],
  ['an admin subscribes to every event', user(['read', 'write', 'admin'], 'admin'), 'all'],
  ['so does the local operator', operator, 'all'],
])('%s', async (_what, actor, scope) => {
  const { place, scopes } = await arrive(async () => actor)
  expect(await place).toMatchObject({ actor, mark: 1 })
  expect(scopes).toEqual([scope])
})

test.each([
  ['nobody', undefined, 4401],
  ['who has not said who they are', anonymous, 4401],
  ['a token without the scope read', user(['write']), 4403],
  ['an admin’s token without the scope read', user(['write', 'admin'], 'admin'), 4403],
])('%s gets no place', async (_what, actor, code) => {
  const { place, scopes } = await arrive(async () => actor)
  expect(await refusalOf(place)).toBe(code)
  expect(scopes).toEqual([])
})

test('a place is not taken before it is known for whom', async () => {
  const { promise, resolve } = Promise.withResolvers<Actor>()
  let asked = false
  const { place, scopes } = await arrive(() => {
    asked = true
    return promise
  })
  await eventually(() => asked, 'the token is looked at')
  expect(scopes).toEqual([])
  resolve(user(['read']))
  await place
  expect(scopes).toEqual(['user:5'])
})
