import { isRevoked, type Revocation, type UserActor } from '../../core/actor.ts'

export interface Verified {
  actor: UserActor
  /** Epoch milliseconds at which the token must be verified again. */
  until: number
}

/** A cache of verified tokens: verifying a token costs more than the rest of a request. */
export interface VerifiedTokens {
  get(token: string): UserActor | undefined
  /**
   * Adds a token, unless a revocation happened since `begun`. `begun` is a `mark()` taken before the database was
   * read, because the data may be out of date after a revocation.
   */
  set(token: string, verified: Verified, begun: number): void
  mark(): number
  revoke(revocation: Revocation): void
  readonly size: number
}

interface Entry extends Verified {
  used: boolean
}

/**
 * Creates a cache of at most `capacity` tokens, keyed by their whole text. Tokens used since the last round stay
 * (second chance), so a flood of tokens that are used once does not evict the others.
 */
export function createVerifiedTokens({
  capacity = 10_000,
  now = Date.now,
}: {
  capacity?: number
  now?: () => number
} = {}): VerifiedTokens {
  const entries = new Map<string, Entry>()
  let revocations = 0

  function makeRoom(): void {
    for (const [token, entry] of entries) {
      entries.delete(token)
      if (!entry.used || entry.until <= now()) return
      entry.used = false
      entries.set(token, entry)
    }
  }

  return {
    get(token) {
      const entry = entries.get(token)
      if (!entry) return undefined
      if (entry.until <= now()) {
        entries.delete(token)
        return undefined
      }
      entry.used = true
      return entry.actor
    },
    set(token, { actor, until }, begun) {
      if (begun !== revocations) return
      if (!entries.has(token) && entries.size >= capacity) makeRoom()
      entries.set(token, { actor, until, used: false })
    },
    mark: () => revocations,
    revoke(revocation) {
      revocations++
      for (const [token, { actor }] of entries) if (isRevoked(actor, revocation)) entries.delete(token)
    },
    get size() {
      return entries.size
    },
  }
}
