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
  /** Whole seconds until all points are available again, at least 1. */
  resetSeconds: number
}

/** Limits each key to `points` in a window of `seconds`. */
export interface RateLimiter {
  readonly points: number
  readonly seconds: number
  /** Counts `points` (default 1) against `key`, also if they exceed the limit. Never rejects. */
  consume(key: string, points?: number): Promise<Verdict>
  /** Returns the state of `key`, and whether one more point is allowed, without counting. Never rejects. */
  peek(key: string): Promise<Verdict>
  /** Gives points back after a successful attempt. Never rejects. */
  reward(key: string, points?: number): Promise<void>
}

/**
 * Creates a limiter. It counts in Redis, if given, for all processes together. While Redis is unavailable, it logs one
 * WARN and counts in this process. Keys start with `prefix` and `name`.
 */
export function createRateLimiter(options: {
  name: string
  points: number
  seconds: number
  redis?: Redis | undefined
  log: Logger
  prefix?: string
  /** Creates the counter that is used without Redis; default: in the memory of this process. */
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
