import { RateLimiterMemory } from 'rate-limiter-flexible'
import type { RateCounter, Window } from './counter.ts'

/**
 * A key takes 0.45 kB until its window ends, so that many callers at a time are known: 22 MB. Beyond,
 * the longest known is forgotten.
 */
const MAX_KEYS = 50_000

/** Counts in this process. */
export function memoryCounter({ points, seconds, keyPrefix }: Window, maxKeys = MAX_KEYS): RateCounter {
  const limiter = new RateLimiterMemory({ points, duration: seconds, keyPrefix })
  const known = new Set<string>()
  // One iterator for ever: a new one would walk over the holes that deleted keys leave at the front.
  const oldest = known.values()

  const remember = (key: string) => {
    known.delete(key)
    known.add(key)
    if (known.size <= maxKeys) return
    const forgotten = oldest.next().value!
    known.delete(forgotten)
    void limiter.delete(forgotten)
  }
  const get = async (key: string) => {
    const count = await limiter.get(key)
    // A window that is over stays until its timer has run.
    return count && count.msBeforeNext > 0 ? count : { consumedPoints: 0, msBeforeNext: 0 }
  }

  return {
    async add(key, amount) {
      const count = await limiter.penalty(key, amount)
      if (count.isFirstInDuration) remember(key)
      return count
    },
    get,
    async subtract(key, amount) {
      const given = Math.min(amount, (await get(key)).consumedPoints)
      if (given > 0) await limiter.reward(key, given)
    },
  }
}
