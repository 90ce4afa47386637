import { setTimeout as delay } from 'node:timers/promises'
import { errorText } from '../../core/errors.ts'
import type { Logger } from '../logging/logger.ts'
import type { Database } from './database.ts'

/** How often is looked for tables that have grown, and how seldom at last while that fails. */
const LOOK_MS = 5_000
const MAX_LOOK_MS = 300_000
/** A smaller table is read whole in no time. */
const FEWEST_ROWS = 1_000

/**
 * Runs ANALYZE on a table whenever it has doubled in size. Autovacuum does so too, but up to a minute later, or never if
 * it is turned off. Until then PostgreSQL plans for the old size: it reads a formerly empty table whole to find one
 * row, and a page of 20,000 new tasks takes 10 ms instead of 2.
 */
export function keepStatistics(db: Database, log: Logger, lookMs: number = LOOK_MS): AsyncDisposable {
  const stopping = new AbortController()

  async function look(): Promise<void> {
    const { rows } = await db.query<{ name: string }>({
      name: 'tables-grown',
      text: GROWN,
      values: [FEWEST_ROWS],
    })
    const failures: unknown[] = []
    for (const { name } of rows) {
      if (stopping.signal.aborted) return
      try {
        // On a connection of its own: it may take a second. Another process that is at it does it for both.
        await db.transaction((transaction) => transaction.query({ text: `ANALYZE (SKIP_LOCKED) ${name}` }))
        log.debug({ table: name }, 'new statistics of a table that has grown')
      } catch (error) {
        failures.push(error)
      }
    }
    if (failures.length > 0) throw failures[0]
  }

  async function run(): Promise<void> {
    const { signal } = stopping
    for (let waitMs = lookMs; ; ) {
      await delay(waitMs, undefined, { signal }).catch(() => {})
      if (signal.aborted) return
      try {
        await look()
        waitMs = lookMs
      } catch (error) {
        // It may be that a table takes longer than a statement may, which is work for the disk each time.
        waitMs = Math.min(2 * waitMs, MAX_LOOK_MS)
        log.debug(`no new statistics: ${errorText(error)}`)
      }
    }
  }

  const done = run()
  return {
    async [Symbol.asyncDispose]() {
      stopping.abort()
      await done
    },
  }
}

// `reltuples` is the number of rows at the last time, and -1 before the first. Tables of another owner are left to them.
const GROWN = `
SELECT format('%I.%I', schemaname, s.relname) AS name
FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid
WHERE schemaname IN (current_schema(), 'pgboss') AND c.relkind = 'r'
  AND n_live_tup >= greatest($1, 2 * c.reltuples) AND pg_has_role(c.relowner, 'USAGE')`
