import { isRevoked, type Revocation, type UserActor } from '../../core/actor.ts'

export interface Verified {
  actor: UserActor
  /** Epoch milliseconds at which it must be looked at again. */
  until: number
}

/** Who the bearers of recent tokens are: checking a token again costs more than the rest of a request. */
export interface VerifiedTokens {
  get(token: string): UserActor | undefined
  /**
   * Keeps it, unless something was revoked since `begun`, a value of `mark()` taken before the database was
   * read: what was read may then be out of date.
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
 * At most `capacity` tokens, by their whole text. Who was asked for since the last round stays (second chance),
 * so a flood of tokens that are used once does not push out those in use.
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
