import type { Actor } from './actor.ts'

/** A resource that belongs to a user, or to nobody in particular (`null`). */
export interface Owned {
  user_id: number | null
}

let create: (userId: number | undefined) => AccessScope

/**
 * Which resources an actor may see. The value is opaque: only `scopeOf` makes one, and callers either ask it
 * or hand it to the SQL of `platform/access`. How it decides can change (memberships of projects) without them.
 */
export class AccessScope {
  static {
    create = (userId) => new AccessScope(userId)
  }

  /** undefined: every resource. */
  readonly #userId: number | undefined
  /** Identifies the scope: scopes with equal keys allow the same. */
  readonly key: string

  private constructor(userId: number | undefined) {
    this.#userId = userId
    this.key = userId === undefined ? 'all' : `user:${userId}`
  }

  /** Whether the scope has no limit: an admin's, or the local operator's. */
  get isUnlimited(): boolean {
    return this.#userId === undefined
  }

  /** The one value that a statement is given for the scope; see `scopeCondition`. */
  get parameter(): number | null {
    return this.#userId ?? null
  }

  allows(resource: Owned): boolean {
    return this.#userId === undefined || this.#userId === resource.user_id
  }

  equals(other: AccessScope): boolean {
    return this.#userId === other.#userId
  }
}

/** Returns what the actor may see: an admin and the operator everything, any other user their own. */
export function scopeOf(actor: Actor): AccessScope {
  return actor.kind === 'user' && actor.role !== 'admin' ? create(actor.id) : unlimited
}

/** Shared, so that comparing the scopes of many readers compares the same value. */
const unlimited = create(undefined)
