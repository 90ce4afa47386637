import { RateLimiterMemory } from 'rate-limiter-flexible'
import type { RateCounter, Window } from './counter.ts'

/**
 * Maximum number of keys. A key takes 0.45 kB until its window ends, so this is at most 22 MB. Beyond it, the oldest
 * key is evicted.
 */
const MAX_KEYS = 50_000

/** Creates a counter in the memory of this process. */
export function memoryCounter({ points, seconds, keyPrefix }: Window, maxKeys = MAX_KEYS): RateCounter {
  const limiter = new RateLimiterMemory({ points, duration: seconds, keyPrefix })
  const known = new Set<string>()
  // One permanent iterator: a new one would step over the holes that deleted keys leave at the front.
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
    // An expired window stays until its timer runs.
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
