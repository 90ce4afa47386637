import type { Queryable } from '../../platform/database/database.ts'
import {
  MAX_SESSIONS_PER_USER,
  RACE_WINDOW_SECONDS,
  type Session,
  type SessionStore,
  storedUserAgent,
} from './session-store.ts'

interface Judged {
  outcome: 'rotated' | 'raced' | 'reused'
  userId: number
  generation: number
}

/** Stores sessions in the table `sessions`. */
export function createPostgresSessionStore(db: Queryable): SessionStore {
  return {
    async create({ id, userId, userAgent, address, lifetimeSeconds }) {
      await db.query({
        name: 'session-create',
        text: CREATE,
        values: [id, userId, storedUserAgent(userAgent), address, lifetimeSeconds],
      })
      // A separate statement: of concurrent logins, the last one then sees all the others.
      await db.query({ name: 'session-cap', text: CAP, values: [userId, id, MAX_SESSIONS_PER_USER - 1] })
    },
    async rotate({ sessionId, generation }, { userAgent, address, lifetimeSeconds }) {
      const { rows } = await db.query<Judged>({
        name: 'session-rotate',
        text: ROTATE,
        values: [
          sessionId,
          generation,
          RACE_WINDOW_SECONDS,
          storedUserAgent(userAgent),
          address,
          lifetimeSeconds,
        ],
      })
      const [judged] = rows
      if (!judged) return { outcome: 'unknown' }
      const { outcome, userId } = judged
      return outcome === 'reused' ? { outcome, userId } : { outcome, userId, generation: judged.generation }
    },
    async list(userId) {
      const { rows } = await db.query<Session & object>({
        name: 'session-list',
        read: 'quick',
        text: LIST,
        values: [userId],
      })
      return rows
    },
    async end(userId, sessionId) {
      // Compared as text, because an id that is no UUID just does not exist.
      const ended = await db.query<{ live: boolean }>({
        name: 'session-end',
        text: `DELETE FROM sessions WHERE user_id = $1 AND id::text = $2
          RETURNING expires_at > clock_timestamp() AS live`,
        values: [userId, sessionId],
      })
      return ended.rows.some(({ live }) => live)
    },
    async endAll(userId, keep) {
      const ended = await db.query<{ live: boolean }>({
        name: 'session-end-all',
        text: `DELETE FROM sessions WHERE user_id = $1 AND id::text IS DISTINCT FROM $2
          RETURNING expires_at > clock_timestamp() AS live`,
        values: [userId, keep ?? null],
      })
      return ended.rows.filter(({ live }) => live).length
    },
    async purge(limit) {
      const { rowCount } = await db.query({
        text: `DELETE FROM sessions WHERE id = ANY (ARRAY(
          SELECT id FROM sessions WHERE expires_at <= now() LIMIT $1 FOR UPDATE SKIP LOCKED))`,
        values: [limit],
      })
      return rowCount ?? 0
    },
  }
}

const CREATE = `
INSERT INTO sessions (id, user_id, user_agent, address, created_at, last_used_at, rotated_at, expires_at)
SELECT $1::uuid, $2::integer, $3::text, $4::text, now, now, now, now + make_interval(secs => $5)
FROM (SELECT clock_timestamp() AS now) clock`

const CAP = `
DELETE FROM sessions WHERE id = ANY (ARRAY(
  SELECT id FROM sessions WHERE user_id = $1 AND id <> $2
  ORDER BY expires_at > clock_timestamp() DESC, last_used_at DESC, id DESC OFFSET $3))`

// `found` locks the row and reads its latest version, which decides. The row in `sessions` is from the snapshot of
// the statement and may be older.
const ROTATE = `
WITH found AS (
  SELECT * FROM sessions WHERE id = $1 FOR UPDATE
), present AS (
  SELECT *, clock_timestamp() AS now FROM found
), judged AS (
  SELECT id, user_id, generation, now, CASE
    WHEN generation = $2::bigint THEN 'rotated'
    WHEN generation = $2::bigint + 1 AND now < rotated_at + make_interval(secs => $3) THEN 'raced'
    ELSE 'reused'
  END AS outcome
  FROM present WHERE expires_at > now
), rotated AS (
  UPDATE sessions s SET generation = j.generation + 1, user_agent = $4, address = $5,
    last_used_at = j.now, rotated_at = j.now, expires_at = j.now + make_interval(secs => $6)
  FROM judged j WHERE s.id = j.id AND j.outcome = 'rotated'
), ended AS (
  DELETE FROM sessions s USING judged j WHERE s.id = j.id AND j.outcome = 'reused'
)
SELECT outcome, user_id AS "userId", generation + (outcome = 'rotated')::integer AS generation FROM judged`

const LIST = `
SELECT id, user_id AS "userId", user_agent AS "userAgent", address, created_at AS "createdAt",
  last_used_at AS "lastUsedAt", expires_at AS "expiresAt"
FROM sessions WHERE user_id = $1 AND expires_at > clock_timestamp() ORDER BY last_used_at DESC, id DESC`
