import { randomUUID } from 'node:crypto'
import type { Database } from '../platform/database/database.ts'

/** Commits within this many milliseconds are announced by one notification. */
const COALESCE_MS = 5

/** Notifies the other processes on this database of commits, and receives their notifications. */
export interface Signal extends AsyncDisposable {
  /** Announces a commit. It is cheap: call it after each one. */
  send(): void
}

/**
 * Returns the signal of a channel. A NOTIFY inside a write transaction would make the commits of the whole database
 * wait for each other. It is therefore sent outside of them, once for all commits within 5 ms. A lost notification only
 * costs time, because every process polls the table. Without `onSignal` the process sends and does not subscribe.
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
