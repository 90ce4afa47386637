import type { Logger } from '../logging/logger.ts'
import type { Redis } from '../redis/redis.ts'
import type { Count, CounterFactory } from './counter.ts'
import { insuredCounter } from './insured-counter.ts'
import { memoryCounter } from './memory-counter.ts'
import { redisCounter } from './redis-counter.ts'

export { addressKey } from './address-key.ts'

export interface Verdict {
  allowed: boolean
  limit: number
  remaining: number
  /** Whole seconds until all points are there again, at least 1. */
  resetSeconds: number
}

/** Lets each key use so many points in a window of time. */
export interface RateLimiter {
  readonly points: number
  readonly seconds: number
  /** Counts `points` (default 1) against `key`, also when they are refused. Never rejects. */
  consume(key: string, points?: number): Promise<Verdict>
  /** Where `key` stands, and whether one more point would be allowed; counts nothing. Never rejects. */
  peek(key: string): Promise<Verdict>
  /** Gives points back, for what turned out fine. Never rejects. */
  reward(key: string, points?: number): Promise<void>
}

/**
 * A limiter of its own `name`. It counts in Redis, where it is given, for all processes together; while
 * that is away in this process, with one WARN, and by itself in Redis again. `prefix` begins its keys.
 */
export function createRateLimiter(options: {
  name: string
  points: number
  seconds: number
  redis?: Redis | undefined
  log: Logger
  prefix?: string
  /** Counts where Redis does not; in this process, if it is not given. */
  counters?: CounterFactory
}): RateLimiter {
  const { name, points, seconds, redis, log, prefix = 'taskwire', counters = memoryCounter } = options
  const window = { points, seconds, keyPrefix: `${prefix}:limit:${name}` }
  const own = counters(window)
  const counter = redis ? insuredCounter({ redis, shared: redisCounter(redis, window), own, log }) : own

  const verdict = ({ consumedPoints, msBeforeNext }: Count, wanted: number): Verdict => ({
    allowed: consumedPoints + wanted <= points,
    limit: points,
    remaining: Math.max(points - consumedPoints, 0),
    resetSeconds: consumedPoints > 0 ? Math.max(Math.ceil(msBeforeNext / 1000), 1) : seconds,
  })
  return {
    points,
    seconds,
    consume: async (key, amount = 1) => verdict(await counter.add(key, amount), 0),
    peek: async (key) => verdict(await counter.get(key), 1),
    async reward(key, amount = 1) {
      await counter.subtract(key, amount)
    },
  }
}
