import type { Database } from '../platform/database/database.ts'

/**
 * Decides when a missing event id will never appear.
 *
 * A transaction that inserts into `events` holds a ROW EXCLUSIVE lock on the table from before it
 * takes an id until after its commit is visible. So: list the holders; every one that could own a
 * missing id up to `bound` is among them. When all of those have let go, whatever is still not
 * visible was rolled back. Other tables' and other databases' long transactions do not matter, as
 * they would for a rule on the snapshot's xmin.
 */
export class CommitBarrier {
  readonly #db: Database
  #pending: { bound: number; writers: Set<string> } | undefined
  #bound = 0

  constructor(db: Database) {
    this.#db = db
  }

  /** An id up to here that a later read does not see never appears. */
  get bound(): number {
    return this.#bound
  }

  /**
   * Whether every transaction that may hold an id up to `bound` has ended. Call it only with an id
   * that has been read, and read again before believing that an id is missing.
   */
  async settled(bound: number): Promise<boolean> {
    if (bound <= this.#bound) return true
    const holders = await this.#writers()
    if (this.#pending) {
      const { bound: pendingBound, writers } = this.#pending
      this.#pending.writers = writers.intersection(holders)
      if (this.#pending.writers.size === 0) {
        this.#bound = pendingBound
        this.#pending = undefined
      }
    } else if (holders.size === 0) {
      this.#bound = bound
    } else {
      this.#pending = { bound, writers: holders }
    }
    return bound <= this.#bound
  }

  async #writers(): Promise<Set<string>> {
    const { rows } = await this.#db.query<{ virtualtransaction: string }>({
      name: 'event-writers',
      text: `SELECT virtualtransaction FROM pg_locks
             WHERE locktype = 'relation' AND relation = 'events'::regclass AND mode = 'RowExclusiveLock'
               AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    })
    return new Set(rows.map((row) => row.virtualtransaction))
  }
}
