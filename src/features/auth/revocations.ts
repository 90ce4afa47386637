import { type Actor, isRevoked, type Revocation } from '../../core/actor.ts'
import { errorText } from '../../core/errors.ts'
import type { Database, Queryable } from '../../platform/database/database.ts'
import type { Logger } from '../../platform/logging/logger.ts'

const POLL_MS = 1000
/** Maximum duration of a transaction: a row is dated when it is written, and visible after the commit. */
const LATE_SECONDS = 30
/** Time that revocations are remembered for sockets that are being admitted. */
const RECENT_MS = 60_000

/** Revoked credentials, of this and all other processes. */
export interface Revocations extends AsyncDisposable {
  /** Revokes the access tokens of a session, on this process at once and then on all others. */
  revokeSession(userId: number, sessionId: string): Promise<void>
  /** Reads new revocations now. Call it after a commit that revoked something. */
  check(): Promise<void>
  mark(): number
  /** Returns true if a credential of the actor was revoked after the given `mark()`, within the last minute. */
  revokedSince(mark: number, actor: Actor): boolean
}

interface Row {
  key: string
  user_id: number
  session_id: string | null
  token_id: number | null
  epoch: number | null
}

/** Reads new revocations once a second and calls `onRevoked` once for each. */
export async function watchRevocations(
  db: Database,
  log: Logger,
  onRevoked: (revocation: Revocation) => void,
): Promise<Revocations> {
  let count = 0
  let recent: { number: number; at: number; revocation: Revocation }[] = []
  let seen = new Set<string>()
  let since = await readClock(db)
  let down = false
  let closed = false

  async function poll(): Promise<void> {
    const { now, rows } = await readSince(db, since)
    for (const { key, user_id: userId, session_id: sessionId, token_id: tokenId, epoch } of rows) {
      if (seen.has(key)) continue
      const revocation = { userId, sessionId, tokenId, epoch }
      recent.push({ number: ++count, at: Date.now(), revocation })
      onRevoked(revocation)
    }
    seen = new Set(rows.map(({ key }) => key))
    since = now
    recent = recent.filter(({ at }) => at > Date.now() - RECENT_MS)
  }

  // Revocations from before the start of this process are skipped.
  seen = new Set((await readSince(db, since)).rows.map(({ key }) => key))
  // Reads do not overlap: each one continues where the previous one ended.
  let polling = Promise.resolve()
  const check = (): Promise<void> => {
    polling = polling
      .then(() => (closed ? undefined : poll()))
      .then(
        () => {
          down = false
        },
        (error) => {
          // Nothing is missed: the next read continues after the last successful one.
          if (!down) log.debug(`revocations wait for the database: ${errorText(error)}`)
          down = true
        },
      )
    return polling
  }
  const timer = setInterval(check, POLL_MS).unref()

  return {
    check,
    async revokeSession(userId, sessionId) {
      await db.query({
        name: 'revocation-insert',
        text: 'INSERT INTO revocations (user_id, session_id) VALUES ($1, $2)',
        values: [userId, sessionId],
      })
      await check()
    },
    mark: () => count,
    revokedSince: (mark, actor) =>
      actor.kind === 'user' &&
      recent.some(({ number, revocation }) => number > mark && isRevoked(actor, revocation)),
    async [Symbol.asyncDispose]() {
      closed = true
      clearInterval(timer)
      await polling
    },
  }
}

/** Removes up to `limit` revocations that are older than any valid access token. Returns their number. */
export async function purgeRevocations(db: Queryable, limit: number): Promise<number> {
  const { rowCount } = await db.query({
    text: `DELETE FROM revocations WHERE id IN (
      SELECT id FROM revocations WHERE at < now() - interval '2 days' LIMIT $1)`,
    values: [limit],
  })
  return rowCount ?? 0
}

async function readClock(db: Queryable): Promise<string> {
  const { rows } = await db.query<{ now: string }>({ text: 'SELECT clock_timestamp() AS now' })
  return rows[0]!.now
}

/** Returns the revocations since `since`. An expired API token has no row in `revocations`, so those are read too. */
async function readSince(db: Queryable, since: string): Promise<{ now: string; rows: Row[] }> {
  const now = await readClock(db)
  const { rows } = await db.query<Row & object>({
    name: 'revocations-since',
    read: 'quick',
    text: `
      SELECT 'r' || id AS key, user_id, session_id, token_id, epoch FROM revocations
      WHERE at > $1::timestamptz - make_interval(secs => ${LATE_SECONDS})
      UNION ALL
      SELECT 't' || id, user_id, NULL, id, NULL FROM api_tokens
      WHERE expires_at > $1::timestamptz - make_interval(secs => ${LATE_SECONDS}) AND expires_at <= clock_timestamp()`,
    values: [since],
  })
  return { now, rows }
}
