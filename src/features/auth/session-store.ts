import type { RefreshClaim } from './refresh-token.ts'

/** A login that may still be refreshed. Times are ISO 8601 in UTC with microseconds. */
export interface Session {
  id: string
  userId: number
  userAgent: string
  address: string
  createdAt: string
  lastUsedAt: string
  expiresAt: string
}

/** From where a session is used, and for how many seconds it lives from now. */
interface SessionUse {
  /** What is beyond 300 characters is not kept. */
  userAgent: string
  address: string
  lifetimeSeconds: number
}

interface NewSession extends SessionUse {
  /** A UUID in lower case. */
  id: string
  userId: number
}

/**
 * What became of a refresh token:
 * - `rotated`: it was valid and is spent; `generation` is its successor's
 * - `raced`: it is the one just before, spent less than 10 s ago; `generation` is the present one, nothing is changed
 * - `reused`: it is any other of the session, which this call has ended
 * - `unknown`: there is no such session, or it has expired
 */
export type Rotation =
  | { outcome: 'rotated' | 'raced'; userId: number; generation: number }
  | { outcome: 'reused'; userId: number }
  | { outcome: 'unknown' }

/**
 * The sessions: of each the number of the refresh token that is valid now. An expired session is
 * absent for every call. The clock is the store's own, so processes need not agree on the time. All
 * reject with `unavailable` when the store is away.
 */
export interface SessionStore {
  /** Starts a session at generation 0. Of more than 100 of a user, the one used longest ago ends. */
  create(session: NewSession): Promise<void>
  /** Spends the refresh token of the claim, atomically (RFC 9700, section 4.14.2). */
  rotate(claim: RefreshClaim, use: SessionUse): Promise<Rotation>
  /** The user's sessions, the one used last first. */
  list(userId: number): Promise<Session[]>
  /** False when the user has no such session. */
  end(userId: number, sessionId: string): Promise<boolean>
  /** Ends all of a user's sessions but `keep`; resolves to how many. */
  endAll(userId: number, keep?: string): Promise<number>
  /** Removes up to `limit` expired sessions; resolves to how many. */
  purge(limit: number): Promise<number>
}

/** For how long the token just before is taken, for two tabs that refresh at once. */
export const RACE_WINDOW_SECONDS = 10
export const MAX_SESSIONS_PER_USER = 100
const MAX_USER_AGENT = 300

/** A user agent as it is kept: whole characters, and none that PostgreSQL cannot hold. */
export function storedUserAgent(text: string): string {
  return Array.from(text.replaceAll('\0', '')).slice(0, MAX_USER_AGENT).join('')
}
