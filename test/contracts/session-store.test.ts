import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createPostgresSessionStore } from '../../src/features/auth/postgres-session-store.ts'
import { createRedisSessionStore } from '../../src/features/auth/redis-session-store.ts'
import type { Rotation, Session, SessionStore } from '../../src/features/auth/session-store.ts'
import { openDatabase } from '../../src/platform/database/database.ts'
import { openRedis } from '../../src/platform/redis/redis.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { rawClient } from '../support/event-harness.ts'
import { eventually } from '../support/eventually.ts'
import { logTo } from '../support/log.ts'
import { openTestRedis, redisUrl, startRedisProxy, type TestRedis } from '../support/redis.ts'

interface Engine {
  store: SessionStore
  newUser(): Promise<number>
  /** Moves all times of a session back, as if so many more seconds had passed. */
  age(userId: number, id: string, seconds: number): Promise<void>
  /** Starts 50 calls about a session, from several processes, so that some wait before any of them decides. */
  atOnce<T>(id: string, call: (store: SessionStore, place: number) => Promise<T>): Promise<T[]>
  /** How many sessions it holds, expired or not. */
  size(): Promise<number>
}

let database: TestDatabase
let redis: TestRedis
const names = redisUrl ? ['postgres', 'redis'] : ['postgres']
const engines: Record<string, Engine> = {}
beforeAll(async () => {
  database = await createTestDatabase()
  engines.postgres = postgresEngine()
  if (!redisUrl) return
  redis = await openTestRedis()
  engines.redis = redisEngine()
})
afterAll(async () => {
  await database?.[Symbol.asyncDispose]()
  await redis?.[Symbol.asyncDispose]()
})

function postgresEngine(): Engine {
  return {
    store: createPostgresSessionStore(database.db),
    async newUser() {
      const [user] = await database.rows<{ id: number }>(
        `INSERT INTO users (username, username_key, password_hash) VALUES ($1, $1, '') RETURNING id`,
        [randomUUID()],
      )
      return user!.id
    },
    async age(_, id, seconds) {
      await database.rows(
        `UPDATE sessions SET created_at = created_at - d, last_used_at = last_used_at - d,
           rotated_at = rotated_at - d, expires_at = expires_at - d
         FROM make_interval(secs => $2) d WHERE id = $1`,
        [id, seconds],
      )
    },
    async atOnce(id, call) {
      await using processes = new AsyncDisposableStack()
      const stores = Array.from({ length: 5 }, () => {
        const db = processes.use(openDatabase({ connectionString: database.url }, () => {}))
        return createPostgresSessionStore(db)
      })
      await using holder = await rawClient(database.url)
      await using observer = await rawClient(database.url)
      await holder.query('BEGIN')
      await holder.query('SELECT FROM sessions WHERE id = $1 FOR UPDATE', [id])
      const calls = Array.from({ length: 50 }, (_, i) => call(stores[i % 5]!, i))
      await eventually(async () => {
        const { rows } = await observer.query<{ waiting: string }>(
          `SELECT count(*) AS waiting FROM pg_stat_activity
           WHERE datname = current_database() AND wait_event_type = 'Lock'`,
        )
        return Number(rows[0]!.waiting) >= 5
      }, 'a call of each process waits for the session')
      await holder.query('COMMIT')
      return Promise.all(calls)
    },
    size: async () => (await database.rows('SELECT FROM sessions')).length,
  }
}

function redisEngine(): Engine {
  const key = (id: string) => `${redis.prefix}:session:${id}`
  const index = (userId: number) => `${redis.prefix}:sessions:${userId}`
  let users = 0
  return {
    store: createRedisSessionStore(redis, redis.prefix),
    newUser: async () => ++users,
    async age(userId, id, seconds) {
      if ((await redis.send(['EXISTS', key(id)])) === 0) return
      const change = String(-seconds * 1_000_000)
      await redis.send(['HINCRBY', key(id), 'createdAt', change])
      await redis.send(['HINCRBY', key(id), 'rotatedAt', change])
      const expires = Number(await redis.send(['HINCRBY', key(id), 'expiresAt', change]))
      await redis.send(['ZINCRBY', index(userId), change, id])
      await redis.send(['PEXPIREAT', key(id), String(Math.ceil(expires / 1000))])
    },
    // One after the other is all that Redis does.
    atOnce: (_, call) => Promise.all(Array.from({ length: 50 }, (_, i) => call(engines.redis!.store, i))),
    size: async () => (await redis.keys()).filter((found) => found.startsWith(key(''))).length,
  }
}

const use = { userAgent: 'Firefox', address: '192.0.2.1', lifetimeSeconds: 1000 }
const seconds = (iso: string) => Date.parse(iso) / 1000
const unknown: Rotation = { outcome: 'unknown' }

describe.each(names)('sessions in %s', (name) => {
  const engine = () => engines[name]!
  const store = () => engine().store
  const ids = async (userId: number) => (await store().list(userId)).map(({ id }) => id)
  const rotate = (sessionId: string, generation: number, by = use) =>
    store().rotate({ sessionId, generation }, by)

  /** A new user with a session that has been refreshed `generation` times. */
  async function login(generation = 0): Promise<{ id: string; userId: number }> {
    const userId = await engine().newUser()
    return { id: await loginAs(userId, generation), userId }
  }

  async function loginAs(userId: number, generation = 0): Promise<string> {
    const id = randomUUID()
    await store().create({ id, userId, ...use })
    for (let spent = 0; spent < generation; spent++) await rotate(id, spent)
    return id
  }

  test('a login is a session', async () => {
    const { id, userId } = await login()
    const [session, ...others] = await store().list(userId)
    expect(others).toEqual([])
    const { createdAt, lastUsedAt, expiresAt, ...rest } = session!
    expect(rest).toEqual({ id, userId, userAgent: 'Firefox', address: '192.0.2.1' })
    expect(createdAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
    expect(Math.abs(Date.parse(createdAt) - Date.now())).toBeLessThan(60_000)
    expect(lastUsedAt).toBe(createdAt)
    expect(seconds(expiresAt) - seconds(createdAt)).toBeCloseTo(1000, 3)
    expect(expiresAt.slice(-7)).toBe(createdAt.slice(-7))
  })

  test('two sessions have not the same id', async () => {
    const { id, userId } = await login()
    const other = await engine().newUser()
    await expect(store().create({ id, userId: other, ...use })).rejects.toThrow()
    expect(await ids(other)).toEqual([])
    expect(await ids(userId)).toEqual([id])
  })

  test.each([
    ['NUL', 'a\0b\0', 'ab'],
    ['half a surrogate pair', 'a\ud83d', 'a\ufffd'],
    ['too much', '😀'.repeat(301), '😀'.repeat(300)],
    ['nothing', '', ''],
  ])('keeps of a user agent what is text: %s', async (_, userAgent, kept) => {
    const userId = await engine().newUser()
    const id = randomUUID()
    await store().create({ id, userId, ...use, userAgent })
    expect((await store().list(userId))[0]?.userAgent).toBe(kept)
    await rotate(id, 0, { ...use, userAgent: `${userAgent}\0` })
    expect((await store().list(userId))[0]?.userAgent).toBe(kept)
  })

  test('each refresh has a successor, and the session lives on', async () => {
    const { id, userId } = await login()
    const [before] = await store().list(userId)
    await engine().age(userId, id, 500)
    const by = { userAgent: 'Safari', address: '2001:db8::1', lifetimeSeconds: 2000 }
    for (let spent = 0; spent < 5; spent++) {
      expect(await rotate(id, spent, by)).toEqual({ outcome: 'rotated', userId, generation: spent + 1 })
    }
    const [after] = (await store().list(userId)) as [Session]
    expect(after).toMatchObject({ id, userAgent: 'Safari', address: '2001:db8::1' })
    expect(seconds(before!.createdAt) - seconds(after.createdAt)).toBeCloseTo(500, 3)
    expect(after.lastUsedAt > before!.lastUsedAt).toBe(true)
    expect(seconds(after.expiresAt) - seconds(after.lastUsedAt)).toBeCloseTo(2000, 3)
  })

  test('the token just before is taken for 10 s and changes nothing', async () => {
    const { id, userId } = await login(3)
    await engine().age(userId, id, 9)
    const before = await store().list(userId)
    const by = { userAgent: 'other', address: '192.0.2.99', lifetimeSeconds: 1 }
    expect(await rotate(id, 2, by)).toEqual({ outcome: 'raced', userId, generation: 3 })
    expect(await store().list(userId)).toEqual(before)
    await engine().age(userId, id, 1)
    expect(await rotate(id, 2)).toEqual({ outcome: 'reused', userId })
    expect(await rotate(id, 3)).toEqual(unknown)
  })

  test.each([0, 1, 4, 5, 2 ** 31 - 1, 2 ** 32 - 1])(
    'any other token ends the session: %i of 3',
    async (claimed) => {
      const { id, userId } = await login(3)
      const other = await loginAs(userId)
      expect(await rotate(id, claimed)).toEqual({ outcome: 'reused', userId })
      expect(await rotate(id, 3)).toEqual(unknown)
      expect(await rotate(id, claimed)).toEqual(unknown)
      expect(await ids(userId)).toEqual([other])
      expect(await rotate(other, 0)).toMatchObject({ outcome: 'rotated' })
    },
  )

  test('a session that never was is unknown', async () => {
    expect(await rotate(randomUUID(), 0)).toEqual(unknown)
  })

  test('50 refreshes at once with one token have one winner', async () => {
    const { id, userId } = await login(7)
    const rotations = await engine().atOnce(id, (store) =>
      store.rotate({ sessionId: id, generation: 7 }, use),
    )
    expect(rotations.filter(({ outcome }) => outcome === 'rotated')).toHaveLength(1)
    const raced: Rotation = { outcome: 'raced', userId, generation: 8 }
    expect(rotations.filter(({ outcome }) => outcome !== 'rotated')).toEqual(Array(49).fill(raced))
    expect(await rotate(id, 8)).toEqual({ outcome: 'rotated', userId, generation: 9 })
  })

  test('a token that is reused while others are refreshed ends the session once', async () => {
    const { id, userId } = await login(2)
    const rotations = await engine().atOnce(id, (store, place) =>
      store.rotate({ sessionId: id, generation: place % 2 ? 2 : 0 }, use),
    )
    const count = (outcome: Rotation['outcome']) => rotations.filter((r) => r.outcome === outcome).length
    expect(count('reused')).toBe(1)
    expect(count('rotated')).toBeLessThanOrEqual(1)
    expect(rotations.filter((_, i) => i % 2 === 0).every((r) => /reused|unknown/.test(r.outcome))).toBe(true)
    expect(await ids(userId)).toEqual([])
  })

  test('a session that is ended while it is refreshed stays ended', async () => {
    const userId = await engine().newUser()
    for (let round = 0; round < 20; round++) {
      const id = await loginAs(userId)
      const ended = round % 2 ? store().end(userId, id) : store().endAll(userId)
      const [rotation] = await Promise.all([rotate(id, 0), ended, rotate(id, 0)])
      expect(rotation.outcome).toMatch(/rotated|raced|unknown/)
      expect(await rotate(id, 1)).toEqual(unknown)
      expect(await ids(userId)).toEqual([])
    }
  })

  test('an expired session is absent', async () => {
    const { id, userId } = await login()
    await engine().age(userId, id, 990)
    expect(await ids(userId)).toEqual([id])
    await engine().age(userId, id, 10)
    expect(await ids(userId)).toEqual([])
    expect(await rotate(id, 0)).toEqual(unknown)
    expect(await rotate(id, 5)).toEqual(unknown)
    expect(await store().end(userId, id)).toBe(false)
    expect(await store().endAll(userId)).toBe(0)
  })

  test('sessions expire by the clock and nothing of them is left', async () => {
    await engine().store.purge(1000)
    const before = await engine().size()
    const userId = await engine().newUser()
    const short = Array.from({ length: 3 }, () => randomUUID())
    for (const id of short) await store().create({ id, userId, ...use, lifetimeSeconds: 60 })
    await Promise.all(short.map((id) => rotate(id, 0, { ...use, lifetimeSeconds: 0.3 })))
    await eventually(async () => (await ids(userId)).length === 0, 'they have expired')
    expect(await rotate(short[0]!, 1)).toEqual(unknown)
    if (name === 'postgres') {
      expect(await store().purge(2)).toBe(2)
      expect(await store().purge(2)).toBe(1)
    }
    expect(await store().purge(2)).toBe(0)
    expect(await engine().size()).toBe(before)
  })

  test('a session is ended by its user only', async () => {
    const { id, userId } = await login()
    const stranger = await login()
    expect(await store().end(stranger.userId, id)).toBe(false)
    for (const absent of [randomUUID(), '', 'no UUID', `${id}x`, id.toUpperCase()]) {
      expect(await store().end(userId, absent)).toBe(false)
    }
    expect(await ids(userId)).toEqual([id])
    expect(await store().end(userId, id)).toBe(true)
    expect(await store().end(userId, id)).toBe(false)
    expect(await rotate(id, 0)).toEqual(unknown)
    expect(await ids(userId)).toEqual([])
    expect(await ids(stranger.userId)).toEqual([stranger.id])
  })

  test('all sessions of a user end but the one that is kept', async () => {
    const stranger = await login()
    const { id, userId } = await login()
    const others = [await loginAs(userId), await loginAs(userId, 2)]
    const expired = await loginAs(userId)
    await engine().age(userId, expired, 2000)
    expect(await store().endAll(userId, id)).toBe(2)
    expect(await ids(userId)).toEqual([id])
    for (const other of others) expect(await rotate(other, 0)).toEqual(unknown)
    expect(await store().endAll(userId, stranger.id)).toBe(1)
    expect(await store().endAll(userId)).toBe(0)
    expect(await rotate(id, 0)).toEqual(unknown)
    expect(await ids(stranger.userId)).toEqual([stranger.id])
  })

  test('the session used last is listed first', async () => {
    const userId = await engine().newUser()
    const [a, b, c] = [await loginAs(userId), await loginAs(userId), await loginAs(userId)]
    expect(await ids(userId)).toEqual([c, b, a])
    await rotate(b, 0)
    expect(await ids(userId)).toEqual([b, c, a])
    await engine().age(userId, b, 100)
    expect(await ids(userId)).toEqual([c, a, b])
  })

  test('of more than 100 sessions the one used longest ago ends', async () => {
    const before = await engine().size()
    const userId = await engine().newUser()
    const made: string[] = []
    for (let i = 0; i < 99; i++) made.push(await loginAs(userId))
    const expired = randomUUID()
    await store().create({ id: expired, userId, ...use, lifetimeSeconds: 20 })
    await rotate(made[0]!, 0)
    await engine().age(userId, made[5]!, 100)
    await engine().age(userId, expired, 20)
    // The expired one makes room, though it is not the one used longest ago.
    made.push(await loginAs(userId))
    expect((await ids(userId)).toSorted()).toEqual(made.toSorted())
    made.push(await loginAs(userId), await loginAs(userId))
    const gone = [made[5], made[1]]
    expect((await ids(userId)).toSorted()).toEqual(made.filter((id) => !gone.includes(id)).toSorted())
    expect(await rotate(made[1]!, 0)).toEqual(unknown)
    expect(await rotate(made[0]!, 1)).toMatchObject({ outcome: 'rotated' })
    const atOnce = await Promise.all(Array.from({ length: 20 }, () => loginAs(userId)))
    const present = await ids(userId)
    expect(present).toHaveLength(100)
    expect(present).toEqual(expect.arrayContaining([made[0], ...atOnce]))
    expect(await engine().size()).toBe(before + 100)
  })
})

/** What a session is by the rules, with seconds that only `age` makes pass. */
interface Model {
  id: string
  userId: number
  userAgent: string
  generation: number
  /** Seconds since the last use, and until it expires. */
  idle: number
  left: number
  /** Uses that came before the last one, in all sessions. */
  order: number
}

// Ages are multiples of 4 and neither the race window nor a lifetime is, so that the time a run takes decides nothing.
const lifetimeSeconds = fc.constantFrom(30, 90)
const session = fc.nat(5)
const user = fc.nat(1)
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('create' as const), user, lifetimeSeconds }) },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('rotate' as const),
      session,
      behind: fc.constantFrom(0, 0, 0, 1, 1, 2, -1),
      lifetimeSeconds,
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant('age' as const), session, seconds: fc.constantFrom(4, 8, 20) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('end' as const), session, user }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('endAll' as const), session, user }) },
)
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never

class Sessions {
  readonly made: Model[] = []
  #ended = new Set<Model>()
  #uses = 0

  #isLive = (model: Model) => !this.#ended.has(model) && model.left > 0

  create(id: string, userId: number, lifetimeSeconds: number): void {
    const order = ++this.#uses
    this.made.push({ id, userId, userAgent: 'login', generation: 0, idle: 0, left: lifetimeSeconds, order })
  }

  rotate(model: Model, generation: number, userAgent: string, lifetimeSeconds: number): Rotation {
    const { userId } = model
    if (!this.#isLive(model)) return unknown
    if (generation === model.generation - 1 && model.idle < 10) {
      return { outcome: 'raced', userId, generation: model.generation }
    }
    if (generation !== model.generation) {
      this.#ended.add(model)
      return { outcome: 'reused', userId }
    }
    Object.assign(model, { userAgent, generation: generation + 1, idle: 0, left: lifetimeSeconds })
    model.order = ++this.#uses
    return { outcome: 'rotated', userId, generation: model.generation }
  }

  end(ends: (model: Model) => boolean): number {
    const ended = this.made.filter((model) => this.#isLive(model) && ends(model))
    for (const model of ended) this.#ended.add(model)
    return ended.length
  }

  list(userId: number): Partial<Session>[] {
    return this.made
      .filter((model) => model.userId === userId && this.#isLive(model))
      .sort((a, b) => a.idle - b.idle || b.order - a.order)
      .map(({ id, userAgent }) => ({ id, userAgent }))
  }
}

test.each(names)('any course of events in %s is as the rules say', async (name) => {
  const { store, newUser, age } = engines[name]!
  const take = async (action: Step, model: Sessions, users: number[], place: number) => {
    const userId = 'user' in action ? users[action.user]! : 0
    if (action.do === 'create') {
      const id = randomUUID()
      await store.create({ id, userId, ...use, userAgent: 'login', lifetimeSeconds: action.lifetimeSeconds })
      return model.create(id, userId, action.lifetimeSeconds)
    }
    const target = model.made[action.session % model.made.length]
    if (!target) return
    if (action.do === 'rotate') {
      const claim = { sessionId: target.id, generation: Math.max(0, target.generation - action.behind) }
      const by = { ...use, userAgent: `use ${place}`, lifetimeSeconds: action.lifetimeSeconds }
      const expected = model.rotate(target, claim.generation, by.userAgent, by.lifetimeSeconds)
      expect(await store.rotate(claim, by)).toEqual(expected)
    } else if (action.do === 'age') {
      await age(target.userId, target.id, action.seconds)
      target.idle += action.seconds
      target.left -= action.seconds
    } else if (action.do === 'end') {
      const ended = model.end((other) => other === target && other.userId === userId)
      expect(await store.end(userId, target.id)).toBe(ended === 1)
    } else {
      const ended = model.end((other) => other !== target && other.userId === userId)
      expect(await store.endAll(userId, target.id)).toBe(ended)
    }
  }
  const property = fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
    const model = new Sessions()
    const users = [await newUser(), await newUser()]
    for (const [place, action] of steps.entries()) {
      await take(action, model, users, place)
      for (const userId of users) {
        const listed = await store.list(userId)
        expect(listed.map(({ id, userAgent }) => ({ id, userAgent }))).toEqual(model.list(userId))
      }
    }
  })
  await fc.assert(property, { numRuns: 100 })
})

describe.skipIf(!redisUrl)('Redis', () => {
  test('a session that Redis has lost from its index is not taken', async () => {
    const { store, newUser } = engines.redis!
    const userId = await newUser()
    const id = randomUUID()
    await store.create({ id, userId, ...use })
    await redis.send(['DEL', `${redis.prefix}:sessions:${userId}`])
    expect(await store.rotate({ sessionId: id, generation: 0 }, use)).toEqual(unknown)
    expect(await redis.send(['EXISTS', `${redis.prefix}:session:${id}`])).toBe(0)
  })

  test('what Redis holds of a user expires with the session that lives longest', async () => {
    const { store, newUser } = engines.redis!
    const userId = await newUser()
    const ttl = async (key: string) => Number(await redis.send(['PTTL', `${redis.prefix}:${key}`])) / 1000
    const id = randomUUID()
    await store.create({ id, userId, ...use, lifetimeSeconds: 500 })
    await store.rotate({ sessionId: id, generation: 0 }, { ...use, lifetimeSeconds: 2000 })
    await store.create({ id: randomUUID(), userId, ...use, lifetimeSeconds: 500 })
    for (const key of [`session:${id}`, `sessions:${userId}`]) {
      expect(await ttl(key)).toBeGreaterThan(1900)
      expect(await ttl(key)).toBeLessThan(2001)
    }
  })

  test('while it is away sessions are unavailable, and then they are as before', async () => {
    await using proxy = await startRedisProxy()
    await using distant = await openRedis(proxy.url, logTo([]))
    const store = createRedisSessionStore(distant, redis.prefix)
    const userId = await engines.redis!.newUser()
    const id = randomUUID()
    await store.create({ id, userId, ...use })
    await proxy.refuse()
    const calls = [
      store.create({ id: randomUUID(), userId, ...use }),
      store.rotate({ sessionId: id, generation: 0 }, use),
      store.list(userId),
      store.end(userId, id),
      store.endAll(userId),
    ]
    for (const call of await Promise.allSettled(calls)) {
      expect(call).toMatchObject({ status: 'rejected', reason: { code: 'unavailable' } })
    }
    await proxy.restore()
    const listed = await eventually(() => store.list(userId).catch(() => undefined), 'Redis is back')
    expect(listed.map((session) => session.id)).toEqual([id])
    expect(await store.rotate({ sessionId: id, generation: 0 }, use)).toMatchObject({ outcome: 'rotated' })
  })
})
