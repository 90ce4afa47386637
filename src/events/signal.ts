import { randomUUID } from 'node:crypto'
import type { Database } from '../platform/database/database.ts'

/** What is written within this time is told of once. */
const COALESCE_MS = 5

/** Tells the other processes on this database that something was committed, and hears of theirs. */
export interface Signal extends AsyncDisposable {
  /** Says that it was. Cheap, and safe to call for each. */
  send(): void
}

/**
 * A NOTIFY inside a write transaction would make the commits of the whole database wait for each other,
 * so it is sent outside of them, once for all that was written within 5 ms. One that is lost costs time
 * only: every process looks at the table now and then. Without `onSignal` it sends and does not hear.
 */
export function createSignal(
  db: Database,
  onSignal: (() => void) | undefined,
  channel = 'taskwire_events',
): Signal {
  const self = randomUUID()
  let timer: NodeJS.Timeout | undefined
  let sending: Promise<unknown> = Promise.resolve()
  const listening =
    onSignal &&
    db.listen(channel, (payload) => {
      if (payload !== self) onSignal()
    })
  return {
    send() {
      timer ??= setTimeout(() => {
        timer = undefined
        sending = db
          .query({ name: 'events-signal', text: 'SELECT pg_notify($1, $2)', values: [channel, self] })
          .catch(() => {})
      }, COALESCE_MS)
    },
    async [Symbol.asyncDispose]() {
      clearTimeout(timer)
      await sending
      await listening?.[Symbol.asyncDispose]()
    },
  }
}
