import { DomainError, errorText } from '../../core/errors.ts'
import type { Logger } from '../logging/logger.ts'
import type { Redis } from '../redis/redis.ts'
import type { RateCounter } from './counter.ts'

/** Redis clients that fail to count, so that all limiters on one Redis log it once. */
const failing = new WeakSet<Redis>()

/**
 * Counts in `shared`, and in `own` while that fails, decided for each call. Counts are not transferred, so a caller
 * has at most twice the points around a failure.
 */
export function insuredCounter(options: {
  redis: Redis
  shared: RateCounter
  own: RateCounter
  log: Logger
}): RateCounter {
  const { redis, shared, own, log } = options
  return {
    async add(key, points) {
      try {
        const count = await shared.add(key, points)
        if (failing.delete(redis)) log.info('rate limits are shared again')
        return count
      } catch (error) {
        const reason = error instanceof DomainError ? error.cause : error
        if (!failing.has(redis))
          log.warn(`rate limits are counted in this process only: ${errorText(reason)}`)
        failing.add(redis)
        return own.add(key, points)
      }
    },
    // A full Redis still answers reads, so only adding points decides whether it works.
    get: (key) => shared.get(key).catch(() => own.get(key)),
    subtract: (key, points) => shared.subtract(key, points).catch(() => own.subtract(key, points)),
  }
}
