import { createHash } from 'node:crypto'
import { DomainError } from '../../core/errors.ts'
import { parseExactly } from '../../core/exact-json.ts'
import type { Database, Queryable, Transaction } from '../database/database.ts'

/** The response of a write, as it is sent and as it is stored for a day. */
export interface StoredResponse {
  status: number
  headers: Record<string, string>
  /** JSON; null: no body. */
  body: unknown
}

/** A write with an idempotency key. */
export interface KeyedWrite {
  /** The caller. Keys of different callers are independent. */
  scope: string
  key: string
  /** The request as text. The same key with another request is an error. */
  request: string
}

const KEPT = "interval '24 hours'"

/**
 * Runs a write once for each key (IETF draft-ietf-httpapi-idempotency-key-header). The response is stored in the
 * transaction of the write, so a crash leaves both or none. A repeated key with the same request returns the stored
 * response. With another request it is a `validation` error; while the first request runs, a `conflict`. A write
 * that fails stores nothing.
 */
export function withIdempotencyKey(
  db: Database,
  write: KeyedWrite,
  work: (transaction: Transaction) => Promise<StoredResponse>,
): Promise<{ answer: StoredResponse; replayed: boolean }> {
  const { scope, key } = write
  const fingerprint = createHash('sha256').update(write.request).digest()
  return db.transaction(async (transaction) => {
    if (!(await claim(transaction, scope, key))) {
      throw new DomainError(
        'conflict',
        'A request with this Idempotency-Key is still running. Retry later.',
        {
          headers: { 'retry-after': '1' },
        },
      )
    }
    const kept = await find(transaction, scope, key)
    if (kept) {
      if (!kept.fingerprint.equals(fingerprint)) {
        throw new DomainError('validation', 'This Idempotency-Key was already used with a different request.')
      }
      return { answer: kept.answer, replayed: true }
    }
    const answer = await work(transaction)
    await keep(transaction, scope, key, fingerprint, answer)
    return { answer, replayed: false }
  })
}

/** Removes up to `limit` keys that are a day old. Returns their number. */
export async function purgeIdempotencyKeys(db: Queryable, limit: number): Promise<number> {
  const { rowCount } = await db.query({
    // The condition is repeated: the outer one checks the row again after its lock, because the key may be in use again.
    text: `DELETE FROM idempotency_keys WHERE created_at < now() - ${KEPT} AND (scope, key) IN (
      SELECT scope, key FROM idempotency_keys WHERE created_at < now() - ${KEPT} LIMIT $1)`,
    values: [limit],
  })
  return rowCount ?? 0
}

// The lock is held until the transaction ends. Other requests do not wait for it.
async function claim(transaction: Transaction, scope: string, key: string): Promise<boolean> {
  const { rows } = await transaction.query<{ claimed: boolean }>({
    name: 'idempotency-claim',
    text: `SELECT pg_try_advisory_xact_lock(hashtextextended('idempotency key ' || $1 || ' ' || $2, 0)) AS claimed`,
    values: [scope, key],
  })
  return rows[0]!.claimed
}

async function find(transaction: Transaction, scope: string, key: string) {
  const { rows } = await transaction.query<{ fingerprint: Buffer; answer: string }>({
    name: 'idempotency-find',
    text: `SELECT fingerprint, answer::text FROM idempotency_keys
      WHERE scope = $1 AND key = $2 AND created_at > now() - ${KEPT}`,
    values: [scope, key],
  })
  // A replayed response must have the same digits in its numbers.
  return rows[0] && { ...rows[0], answer: parseExactly(rows[0].answer) as StoredResponse }
}

async function keep(
  transaction: Transaction,
  scope: string,
  key: string,
  fingerprint: Buffer,
  { status, headers, body }: StoredResponse,
): Promise<void> {
  await transaction.query({
    name: 'idempotency-keep',
    text: `INSERT INTO idempotency_keys (scope, key, fingerprint, answer) VALUES ($1, $2, $3, $4)
      ON CONFLICT (scope, key) DO UPDATE SET fingerprint = excluded.fingerprint, answer = excluded.answer,
        created_at = excluded.created_at`,
    values: [scope, key, fingerprint, JSON.stringify({ status, headers, body })],
  })
}
