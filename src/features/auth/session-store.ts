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

/** The client that uses a session, and the remaining lifetime of the session in seconds. */
interface SessionUse {
  /** Cut to 300 characters. */
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
 * The result of using a refresh token:
 * - `rotated`: the token was valid and is used up; `generation` is that of its successor
 * - `raced`: the token is the previous one, used less than 10 s ago; `generation` is the current one, nothing changes
 * - `reused`: the token is any other one of the session, which this call has ended
 * - `unknown`: the session does not exist, or has expired
 */
export type Rotation =
  | { outcome: 'rotated' | 'raced'; userId: number; generation: number }
  | { outcome: 'reused'; userId: number }
  | { outcome: 'unknown' }

/**
 * A store of sessions, each with the number of its current refresh token. Expired sessions do not exist for any
 * call. The clock is the store's, so processes need not agree on the time. All calls reject with `unavailable` if
 * the store cannot be reached.
 */
export interface SessionStore {
  /** Starts a session at generation 0. If the user has more than 100, the least recently used one ends. */
  create(session: NewSession): Promise<void>
  /** Uses up the refresh token of the claim, atomically (RFC 9700, section 4.14.2). */
  rotate(claim: RefreshClaim, use: SessionUse): Promise<Rotation>
  /** Returns the user's sessions, most recently used first. */
  list(userId: number): Promise<Session[]>
  /** Ends a session. Returns false if the user has no such session. */
  end(userId: number, sessionId: string): Promise<boolean>
  /** Ends all sessions of a user except `keep`. Returns their number. */
  endAll(userId: number, keep?: string): Promise<number>
  /** Removes up to `limit` expired sessions. Returns their number. */
  purge(limit: number): Promise<number>
}

/** Time that the previous token is still accepted, for two tabs that refresh at once. */
export const RACE_WINDOW_SECONDS = 10
export const MAX_SESSIONS_PER_USER = 100
const MAX_USER_AGENT = 300

/** Returns a user agent for storage: whole characters, and none that PostgreSQL cannot store. */
export function storedUserAgent(text: string): string {
  return Array.from(text.replaceAll('\0', '')).slice(0, MAX_USER_AGENT).join('')
}
