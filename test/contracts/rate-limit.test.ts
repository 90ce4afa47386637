import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createRateLimiter } from '../../src/platform/rate-limit/index.ts'
import { openRedis, type Redis } from '../../src/platform/redis/redis.ts'
import { eventually } from '../support/eventually.ts'
import { logTo } from '../support/log.ts'
import {
  openTestRedis,
  type RedisProxy,
  redisUrl,
  startRedisProxy,
  type TestRedis,
} from '../support/redis.ts'

const log = logTo([])
let names = 0

const engines = redisUrl ? ['memory', 'Redis'] : ['memory']

describe.each(engines)('rate limits in %s', (engine) => {
  let redis: TestRedis | undefined
  beforeAll(async () => {
    if (engine === 'Redis') redis = await openTestRedis()
  })
  afterAll(() => redis?.[Symbol.asyncDispose]())
  const limiter = (points: number, seconds = 60) =>
    createRateLimiter({
      name: `limit-${names++}`,
      points,
      seconds,
      log,
      redis,
      ...(redis && { prefix: redis.prefix }),
    })

  test('a key may use its points and no more', async () => {
    const limits = limiter(3)
    expect(await limits.consume('a')).toEqual({ allowed: true, limit: 3, remaining: 2, resetSeconds: 60 })
    expect(await limits.consume('a', 2)).toMatchObject({ allowed: true, remaining: 0 })
    expect(await limits.consume('a')).toMatchObject({ allowed: false, remaining: 0 })
    expect(await limits.consume('b', 4)).toMatchObject({ allowed: false, limit: 3, remaining: 0 })
    expect(await limits.consume('c')).toMatchObject({ allowed: true, remaining: 2 })
  })

  test('of many at once, as many are allowed as there are points', async () => {
    const limits = limiter(20)
    const verdicts = await Promise.all(Array.from({ length: 100 }, () => limits.consume('a')))
    expect(verdicts.filter(({ allowed }) => allowed)).toHaveLength(20)
  })

  test('looking counts nothing and starts no window', async () => {
    const limits = limiter(2, 1)
    const fresh = { allowed: true, limit: 2, remaining: 2, resetSeconds: 1 }
    expect(await limits.peek('a')).toEqual(fresh)
    expect(await limits.peek('a')).toEqual(fresh)
    await limits.consume('a')
    expect(await limits.peek('a')).toMatchObject({ allowed: true, remaining: 1 })
    await limits.consume('a')
    expect(await limits.peek('a')).toMatchObject({ allowed: false, remaining: 0 })
  })

  test('the points are there again after the window, which more attempts do not lengthen', async () => {
    const limits = limiter(1, 1)
    const start = performance.now()
    await limits.consume('a')
    await eventually(async () => {
      const { allowed, resetSeconds } = await limits.consume('a')
      expect(resetSeconds).toBe(1)
      return allowed
    }, 'a new window')
    const took = performance.now() - start
    expect(took).toBeGreaterThan(990)
    expect(took).toBeLessThan(3000)
  })

  test('points given back can be used again, but there are never more of them', async () => {
    const limits = limiter(2)
    await limits.reward('a')
    expect(await limits.peek('a')).toMatchObject({ remaining: 2, resetSeconds: 60 })
    await limits.consume('a', 2)
    await limits.reward('a')
    expect(await limits.peek('a')).toMatchObject({ allowed: true, remaining: 1 })
    await limits.reward('a', 10)
    expect(await limits.consume('a')).toMatchObject({ remaining: 1 })
  })

  test('limiters of different names do not know of each other', async () => {
    const [one, other] = [limiter(1), limiter(1)]
    await one.consume('a')
    expect(await other.consume('a')).toMatchObject({ allowed: true })
    expect(await one.consume('a')).toMatchObject({ allowed: false })
  })

  test('any sequence of calls gives what counting gives', async () => {
    const call = fc.record({
      what: fc.constantFrom('consume', 'peek', 'reward'),
      key: fc.constantFrom('a', 'b:c', 'ключ', '::/64'),
      points: fc.integer({ min: 0, max: 4 }),
    })
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 8 }), fc.array(call), async (limit, calls) => {
        const limits = limiter(limit)
        const used = new Map<string, number>()
        for (const { what, key, points } of calls) {
          const before = used.get(key) ?? 0
          if (what === 'peek') {
            const { allowed, remaining } = await limits.peek(key)
            expect([allowed, remaining]).toEqual([before < limit, Math.max(limit - before, 0)])
          } else if (what === 'reward') {
            await limits.reward(key, points)
            used.set(key, Math.max(before - points, 0))
          } else {
            const { allowed, remaining } = await limits.consume(key, points)
            const after = before + points
            used.set(key, after)
            expect([allowed, remaining]).toEqual([after <= limit, Math.max(limit - after, 0)])
          }
        }
      }),
      { numRuns: 100 },
    )
  })
})

describe.skipIf(!redisUrl)('with Redis', () => {
  let redis: TestRedis
  let proxy: RedisProxy
  let lines: Record<string, unknown>[]
  let throughProxy: Redis
  const limiter = (name: string, through: Redis = throughProxy) =>
    createRateLimiter({
      name,
      points: 100,
      seconds: 60,
      redis: through,
      log: logTo(lines),
      prefix: redis.prefix,
    })
  const said = () => lines.filter(({ msg }) => /^rate limits/.test(String(msg))).map(({ level }) => level)
  const [info, warn] = [30, 40]

  beforeEach(async () => {
    lines = []
    redis = await openTestRedis()
    proxy = await startRedisProxy()
    throughProxy = await openRedis(proxy.url, logTo(lines))
  })
  afterEach(async () => {
    await throughProxy[Symbol.asyncDispose]()
    await proxy[Symbol.asyncDispose]()
    await redis[Symbol.asyncDispose]()
  })

  test('processes count together, under keys that expire', async () => {
    const [one, other] = [limiter('shared'), limiter('shared', redis)]
    await one.consume('user:1', 60)
    expect(await other.consume('user:1', 30)).toMatchObject({ remaining: 10 })
    expect(await redis.keys()).toEqual([`${redis.prefix}:limit:shared:user:1`])
    const left = Number(await redis.send(['PTTL', `${redis.prefix}:limit:shared:user:1`]))
    expect(left).toBeGreaterThan(50_000)
    expect(left).toBeLessThanOrEqual(60_000)
    await one.peek('user:2')
    await one.reward('user:2')
    expect(await redis.keys()).toHaveLength(1)
  })

  test('while Redis is away each process limits by itself, and then together again', async () => {
    const [one, another] = [limiter('one'), limiter('another')]
    await one.consume('a', 10)
    await proxy.refuse()
    await eventually(() => lines.length > 0, 'the loss is noticed')
    const verdicts = await Promise.all(Array.from({ length: 150 }, () => one.consume('a')))
    expect(verdicts.filter(({ allowed }) => allowed)).toHaveLength(100)
    expect(await one.peek('a')).toMatchObject({ allowed: false, remaining: 0 })
    await one.reward('a', 51)
    expect(await one.peek('a')).toMatchObject({ allowed: true, remaining: 1 })
    expect(await another.consume('a')).toMatchObject({ remaining: 99 })
    expect(said()).toEqual([warn])

    await proxy.restore()
    await eventually(() => lines.some(({ msg }) => msg === 'Redis is available again'), 'the connection')
    expect(await one.consume('a')).toMatchObject({ remaining: 89 })
    expect(await another.consume('a')).toMatchObject({ remaining: 99 })
    expect(said()).toEqual([warn, info])
  })

  test('a Redis that hangs costs those who wait a second, and then nobody', async () => {
    const limits = limiter('hung')
    await limits.consume('a', 10)
    proxy.hang()
    const start = performance.now()
    const verdicts = await Promise.all(Array.from({ length: 20 }, () => limits.consume('a')))
    expect(performance.now() - start).toBeLessThan(2000)
    expect(Math.min(...verdicts.map(({ remaining }) => remaining))).toBe(80)
    const later = performance.now()
    expect(await limits.consume('a')).toMatchObject({ remaining: 79 })
    expect(performance.now() - later).toBeLessThan(100)
    expect(said()).toEqual([warn])
    await proxy.restore()
    await eventually(async () => (await limits.peek('a')).remaining >= 89 - 20, 'Redis counts again', 15_000)
  })

  test('a key that Redis cannot count is limited all the same', async () => {
    const limits = limiter('broken')
    await redis.send(['HSET', `${redis.prefix}:limit:broken:a`, 'not', 'a count'])
    expect(await limits.consume('a', 101)).toMatchObject({ allowed: false })
    expect(await limits.peek('a')).toMatchObject({ allowed: false })
    await limits.reward('a')
    expect(await limits.peek('a')).toMatchObject({ remaining: 0 })
    expect(said()).toEqual([warn])
  })
})
