import { randomBytes } from 'node:crypto'
import { createClient } from 'redis'
import { openRedis, type Redis } from '../../src/platform/redis/redis.ts'
import { logTo } from './log.ts'
import { startProxy, type TcpProxy } from './proxy.ts'

const DEFAULT_URL = 'redis://127.0.0.1:6379'

/**
 * The Redis that tests use: `TEST_REDIS_URL`, or one that listens on this machine; undefined, and said
 * so, where there is none. With `REQUIRE_SERVICES=1` that is an error.
 */
export const redisUrl = await reachableRedis(process.env.TEST_REDIS_URL || DEFAULT_URL)

async function reachableRedis(url: string): Promise<string | undefined> {
  const client = createClient({ url, socket: { connectTimeout: 2000, reconnectStrategy: false } })
  client.on('error', () => {})
  try {
    await client.connect()
    await client.ping()
    return url
  } catch (error) {
    const reason = `NOT COVERED: Redis (${error instanceof Error ? error.message : error}); TEST_REDIS_URL can name one`
    if (process.env.REQUIRE_SERVICES === '1') throw new Error(reason)
    process.stderr.write(`${reason}\n`)
    return undefined
  } finally {
    client.destroy()
  }
}

export interface TestRedis extends Redis {
  url: string
  /** What the keys of this test have to begin with; they are removed when it is disposed. */
  prefix: string
  /** The keys there are that begin with `prefix`. */
  keys(): Promise<string[]>
}

/** A connection to `redisUrl`, and a part of it of the test's own. */
export async function openTestRedis(): Promise<TestRedis> {
  if (!redisUrl) throw new Error('this needs Redis')
  const redis = await openRedis(redisUrl, logTo([]))
  const prefix = `taskwire_test_${randomBytes(6).toString('hex')}`
  const keys = async () => (await redis.send(['KEYS', `${prefix}*`])) as string[]
  return {
    ...redis,
    url: redisUrl,
    prefix,
    keys,
    async [Symbol.asyncDispose]() {
      const left = await keys()
      if (left.length > 0) await redis.send(['DEL', ...left])
      await redis[Symbol.asyncDispose]()
    },
  }
}

export type RedisProxy = TcpProxy

/** A TCP proxy in front of `redisUrl`, by which Redis is away for one test and not for the others. */
export function startRedisProxy(): Promise<RedisProxy> {
  return startProxy(redisUrl!, 6379)
}
