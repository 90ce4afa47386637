import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { UserActor } from '../../core/actor.ts'
import { createVerifiedTokens } from './verified-tokens.ts'

const user = { kind: 'user', username: 'ann', role: 'user', epoch: 0, scopes: ['read', 'write'] } as const
const ofSession = (id: number, sessionId: string): UserActor => ({ ...user, id, sessionId })
const ofToken = (id: number, tokenId: number): UserActor => ({ ...user, id, tokenId })
const FOREVER = Number.MAX_SAFE_INTEGER

/** A cache of three credentials of user 1, the session of user 2, and how to see which of them are left. */
function four() {
  const cache = createVerifiedTokens()
  const actors = {
    one: ofSession(1, 'a'),
    two: ofSession(1, 'b'),
    api: ofToken(1, 5),
    other: ofSession(2, 'c'),
  }
  for (const [token, actor] of Object.entries(actors))
    cache.set(token, { actor, until: FOREVER }, cache.mark())
  return { cache, left: () => Object.keys(actors).filter((token) => cache.get(token) !== undefined) }
}

test('what is kept is found by its whole text', () => {
  const { cache } = four()
  expect(cache.get('one')).toEqual(ofSession(1, 'a'))
  for (const token of ['on', 'one ', 'One', '', '__proto__']) expect(cache.get(token)).toBeUndefined()
  expect(cache.size).toBe(4)
})

test.for([
  ['a session', { userId: 1, sessionId: 'a' }, ['two', 'api', 'other']],
  [
    'a session as a row of the table says it',
    { userId: 1, sessionId: 'a', tokenId: null },
    ['two', 'api', 'other'],
  ],
  ['an API token', { userId: 1, sessionId: null, tokenId: 5 }, ['one', 'two', 'other']],
  ['all earlier epochs of a user', { userId: 1, epoch: 1 }, ['other']],
  ['epochs before the present one', { userId: 1, epoch: 0 }, ['one', 'two', 'api', 'other']],
  [
    'a user as a row of the table says it',
    { userId: 1, sessionId: null, tokenId: null, epoch: 1 },
    ['other'],
  ],
  ['the session of somebody else', { userId: 2, sessionId: 'a' }, ['one', 'two', 'api', 'other']],
  ['an unknown token', { userId: 1, tokenId: 6 }, ['one', 'two', 'api', 'other']],
] as const)('revoking %s', ([, what, expected]) => {
  const { cache, left } = four()
  cache.revoke(what)
  expect(left()).toEqual(expected)
})

test('what was read before a revocation is not kept, whomever it was of', () => {
  const cache = createVerifiedTokens()
  const begun = cache.mark()
  cache.revoke({ userId: 2 })
  cache.set('late', { actor: ofSession(1, 'a'), until: FOREVER }, begun)
  expect(cache.get('late')).toBeUndefined()
  cache.set('late', { actor: ofSession(1, 'a'), until: FOREVER }, cache.mark())
  expect(cache.get('late')).toBeDefined()
})

test('an entry ends at its time, and is dropped', () => {
  let now = 1000
  const cache = createVerifiedTokens({ now: () => now })
  cache.set('token', { actor: ofSession(1, 'a'), until: 2000 }, cache.mark())
  now = 1999
  expect(cache.get('token')).toBeDefined()
  now = 2000
  expect(cache.get('token')).toBeUndefined()
  expect(cache.size).toBe(0)
})

test('a flood of tokens that are used once leaves those in use', () => {
  const cache = createVerifiedTokens({ capacity: 100 })
  const verified = { actor: ofSession(1, 'a'), until: FOREVER }
  for (let i = 0; i < 10; i++) cache.set(`busy ${i}`, verified, cache.mark())
  for (let i = 0; i < 5000; i++) {
    cache.set(`once ${i}`, verified, cache.mark())
    for (let j = 0; j < 10; j++) expect(cache.get(`busy ${j}`)).toBeDefined()
    expect(cache.size).toBeLessThanOrEqual(100)
  }
  for (let i = 4911; i < 5000; i++) expect(cache.get(`once ${i}`)).toBeDefined()
})

test('with all of them in use there is room for one more, and one that is known takes none', () => {
  let now = 0
  const cache = createVerifiedTokens({ capacity: 3, now: () => now })
  const set = (token: string, until: number) =>
    cache.set(token, { actor: ofSession(1, 'a'), until }, cache.mark())
  for (const token of ['a', 'b', 'c']) set(token, 10)
  for (const token of ['a', 'b', 'c']) cache.get(token)
  set('d', 20)
  expect(['a', 'b', 'c', 'd'].map((token) => cache.get(token) !== undefined)).toEqual([
    false,
    true,
    true,
    true,
  ])
  set('c', 20)
  expect(['b', 'c', 'd'].filter((token) => !cache.get(token))).toEqual([])
  now = 10
  set('e', 20)
  expect(['b', 'c', 'd', 'e'].filter((token) => cache.get(token))).toEqual(['c', 'd', 'e'])
})

test('one whose time is up makes room before one that has not been asked for yet', () => {
  let now = 0
  const cache = createVerifiedTokens({ capacity: 3, now: () => now })
  const set = (token: string, until: number) =>
    cache.set(token, { actor: ofSession(1, 'a'), until }, cache.mark())
  set('busy', 20)
  set('over', 10)
  set('new', 20)
  for (const token of ['busy', 'over']) cache.get(token)
  now = 10
  set('newer', 20)
  expect(['busy', 'over', 'new', 'newer'].filter((token) => cache.get(token))).toEqual([
    'busy',
    'new',
    'newer',
  ])
})

test('in any order of events only what is still right is answered, and all of it while there is room', () => {
  const userId = fc.constantFrom(1, 2)
  const sessionId = fc.option(fc.constantFrom('a', 'b'))
  const tokenId = fc.option(fc.constantFrom(1, 2))
  const token = fc.constantFrom('t', 'u', 'v', 'w', 'x')
  const actor = fc.oneof(
    fc.tuple(userId, fc.constantFrom('a', 'b')).map(([id, session]) => ofSession(id, session)),
    fc.tuple(userId, fc.constantFrom(1, 2)).map(([id, api]) => ofToken(id, api)),
  )
  const event = fc.oneof(
    fc.record({
      type: fc.constant('set'),
      token,
      actor,
      until: fc.integer({ min: 0, max: 20 }),
      stale: fc.boolean(),
    }),
    fc.record({
      type: fc.constant('revoke'),
      userId,
      sessionId,
      tokenId: fc.constant(null),
      epoch: fc.constantFrom(0, 1),
    }),
    fc.record({
      type: fc.constant('revoke'),
      userId,
      sessionId: fc.constant(null),
      tokenId,
      epoch: fc.constantFrom(0, 1),
    }),
    fc.record({ type: fc.constant('pass'), time: fc.integer({ min: 0, max: 5 }) }),
    fc.record({ type: fc.constant('get'), token }),
  ) as fc.Arbitrary<
    | { type: 'set'; token: string; actor: UserActor; until: number; stale: boolean }
    | { type: 'revoke'; userId: number; sessionId: string | null; tokenId: number | null; epoch: number }
    | { type: 'pass'; time: number }
    | { type: 'get'; token: string }
  >
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), fc.constantFrom(2, 5), (events, capacity) => {
      let now = 0
      let revoked = false
      const cache = createVerifiedTokens({ capacity, now: () => now })
      const start = cache.mark()
      const model = new Map<string, { actor: UserActor; until: number }>()
      for (const event of events) {
        if (event.type === 'pass') now += event.time
        else if (event.type === 'revoke') {
          revoked = true
          cache.revoke(event)
          for (const [token, { actor }] of model) {
            const isMeant =
              event.sessionId !== null
                ? actor.sessionId === event.sessionId
                : event.tokenId !== null
                  ? actor.tokenId === event.tokenId
                  : event.epoch > actor.epoch
            if (actor.id === event.userId && isMeant) model.delete(token)
          }
        } else if (event.type === 'set') {
          cache.set(event.token, event, event.stale ? start : cache.mark())
          if (!event.stale || !revoked) model.set(event.token, event)
        } else {
          const known = model.get(event.token)
          const expected = known && known.until > now ? known.actor : undefined
          const found = cache.get(event.token)
          if (capacity === 5 || found) expect(found).toEqual(expected)
        }
        expect(cache.size).toBeLessThanOrEqual(capacity)
      }
    }),
    { numRuns: 1000 },
  )
})
