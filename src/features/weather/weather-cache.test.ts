import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../../../test/support/eventually.ts'
import { logTo } from '../../../test/support/log.ts'
import { openTestRedis, redisUrl, startRedisProxy, type TestRedis } from '../../../test/support/redis.ts'
import { openRedis } from '../../platform/redis/redis.ts'
import { WeatherCache } from './weather-cache.ts'
import { weatherExample as weather } from './weather-schema.ts'

const HOUR = 3_600_000
const inAnHour = () => ({ weather, until: Date.now() + HOUR })

test('a process remembers a bounded number of cities, the last ones', async () => {
  const cache = new WeatherCache({ redis: undefined, prefix: '', capacity: 3 })
  for (const city of ['a', 'b', 'c', 'a', 'd']) await cache.store(city, inAnHour())
  expect(['a', 'b', 'c', 'd'].map((city) => cache.recall(city) !== undefined)).toEqual([
    true,
    false,
    true,
    true,
  ])
})

describe.skipIf(!redisUrl)('with Redis', () => {
  let redis: TestRedis
  beforeAll(async () => {
    redis = await openTestRedis()
  })
  afterAll(() => redis[Symbol.asyncDispose]())

  test('what one process has found all know, until the same time', async () => {
    let now = Date.now()
    const [one, other] = [0, 1].map(
      () => new WeatherCache({ redis, prefix: `${redis.prefix}:shared:`, now: () => now }),
    ) as [WeatherCache, WeatherCache]
    const known = { weather, until: now + HOUR }
    await one.store('moscow', known)
    await one.store('atlantis', { ...known, weather: null })
    expect(await other.lookUp('moscow')).toEqual(known)
    expect(await other.lookUp('atlantis')).toEqual({ ...known, weather: null })
    expect(await other.lookUp('omsk')).toBeUndefined()
    expect(other.recall('moscow')).toEqual(known)
    const left = Number(await redis.send(['PTTL', `${redis.prefix}:shared:moscow`]))
    expect(left).toBeGreaterThan(HOUR - 10_000)
    expect(left).toBeLessThanOrEqual(HOUR)
    now += HOUR
    expect([other.recall('moscow'), await other.lookUp('moscow')]).toEqual([undefined, undefined])
  })

  test.each(['', 'x', '[]', 'null', '{}', '{"until":"x","weather":null}', '{"until":99999999999999}'])(
    '%j in its place is nothing',
    async (text) => {
      const prefix = `${redis.prefix}:garbage:`
      await redis.send(['SET', `${prefix}omsk`, text])
      expect(await new WeatherCache({ redis, prefix }).lookUp('omsk')).toBeUndefined()
    },
  )

  test('while Redis is away each process goes by its own memory, and nothing fails', async () => {
    await using proxy = await startRedisProxy()
    await using client = await openRedis(proxy.url, logTo([]))
    const prefix = `${redis.prefix}:away:`
    const cache = new WeatherCache({ redis: client, prefix })
    await cache.store('moscow', inAnHour())
    await proxy.refuse()
    await eventually(
      () =>
        client
          .ping(200)
          .then(() => false)
          .catch(() => true),
      'Redis is unavailable',
    )
    expect(cache.recall('moscow')).toMatchObject({ weather })
    expect(await cache.lookUp('omsk')).toBeUndefined()
    await cache.store('omsk', inAnHour())
    expect(cache.recall('omsk')).toMatchObject({ weather })
    await proxy.restore()
    await eventually(
      () =>
        client
          .ping(200)
          .then(() => true)
          .catch(() => false),
      'Redis is available again',
    )
    expect(await new WeatherCache({ redis: client, prefix }).lookUp('moscow')).toMatchObject({ weather })
  })
})
