import type { TestDatabase } from './database.ts'
import { eventually } from './eventually.ts'

/** Resolves when a statement in the database waits for a lock of another one. */
export async function waitsForALock({ rows }: TestDatabase): Promise<void> {
  await eventually(async () => {
    const waiting = await rows(
      "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
    )
    return waiting.length > 0
  }, 'a statement waits for a lock')
}
