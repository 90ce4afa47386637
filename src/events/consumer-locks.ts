import type { Database, DatabaseSession } from '../platform/database/database.ts'

/** Interval at which a lock of another process is tried again, and a held one is checked, in milliseconds. */
const CHECK_MS = 1_000

/**
 * The consumers that this process serves. They are advisory locks of one session, so that PostgreSQL can give them
 * to another process as soon as this process or its connection ends.
 */
export class ConsumerLocks implements AsyncDisposable {
  readonly #db: Database
  #session: Promise<DatabaseSession> | undefined
  readonly #held = new Map<string, { got: boolean; checked: number }>()

  constructor(db: Database) {
    this.#db = db
  }

  /** Returns whether this process serves the consumer now, and acquires its lock if it is free. */
  async hold(name: string): Promise<boolean> {
    const known = this.#held.get(name)
    if (known && performance.now() - known.checked < CHECK_MS) return known.got
    this.#session ??= this.#db.session()
    const current = this.#session
    try {
      const session = await current
      const got = known?.got ? await isAlive(session) : await tryLock(session, name)
      if (this.#session !== current) throw new Error('the connection was lost')
      this.#held.set(name, { got, checked: performance.now() })
      return got
    } catch (error) {
      // All locks end with the session; the next call opens another one.
      if (this.#session === current) await this.#drop()
      throw error
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#drop()
  }

  async #drop(): Promise<void> {
    const session = this.#session
    this.#session = undefined
    this.#held.clear()
    await session?.then((it) => it[Symbol.asyncDispose]()).catch(() => {})
  }
}

async function isAlive(session: DatabaseSession): Promise<true> {
  await session.query({ text: 'SELECT 1' })
  return true
}

async function tryLock(session: DatabaseSession, name: string): Promise<boolean> {
  const { rows } = await session.query<{ got: boolean }>({
    text: "SELECT pg_try_advisory_lock(hashtext('taskwire feed'), hashtext($1)) AS got",
    values: [name],
  })
  return rows[0]!.got
}
