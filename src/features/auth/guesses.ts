import { DomainError } from '../../core/errors.ts'
import { addressKey, type RateLimiter } from '../../platform/rate-limit/index.ts'
import { usernameKey } from '../users/index.ts'

/** Limits attempts at a password, a refresh token or a ticket, in every access mode. */
export interface Guesses {
  /**
   * Counts an attempt from `address`, and at `username` if there is one; throws `too-many-requests`.
   * Attempts that succeed do not count.
   */
  begin(address: string, username?: string): Promise<{ succeeded(): Promise<void> }>
}

/** Creates the limits. `perUser` counts by user name and address, `perAddress` by address. */
export function createGuesses(limiters: { perUser: RateLimiter; perAddress: RateLimiter }): Guesses {
  return {
    async begin(address, username) {
      const from = addressKey(address)
      const counted: [RateLimiter, string][] = [[limiters.perAddress, from]]
      if (username !== undefined) counted.push([limiters.perUser, `${usernameKey(username)} ${from}`])
      for (const [limiter, key] of counted) {
        const { allowed, resetSeconds } = await limiter.consume(key)
        if (!allowed) {
          throw new DomainError('too-many-requests', `Too many attempts. Retry in ${resetSeconds} s.`, {
            headers: { 'retry-after': String(resetSeconds) },
          })
        }
      }
      return {
        async succeeded() {
          for (const [limiter, key] of counted) await limiter.reward(key)
        },
      }
    },
  }
}
