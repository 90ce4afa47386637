import type { PgBoss } from 'pg-boss'
import type { Logger } from '../logging/logger.ts'

const QUEUE = 'housekeeping'
const HOURLY = '17 * * * *'
/** So many rows go in one statement, so that nobody waits long for it. */
const PORTION = 5000

/** Removes up to `limit` of what has had its time; resolves to how many, and is called again when it was `limit`. */
export type Purge = (limit: number) => Promise<number>

/** Once an hour, in one process: purges what has had its time, by the name it has in the log. */
export async function startHousekeeping(deps: {
  boss: PgBoss
  log: Logger
  purges: Record<string, Purge>
}): Promise<void> {
  const { boss, log, purges } = deps
  await boss.createQueue(QUEUE, { policy: 'short', deleteAfterSeconds: 86_400 })
  await boss.work(QUEUE, { pollingIntervalSeconds: 30 }, async () => {
    const failures: unknown[] = []
    for (const [name, purge] of Object.entries(purges)) {
      try {
        const purged = await inPortions(purge)
        if (purged > 0) log.info({ [name]: purged }, 'purged')
      } catch (error) {
        failures.push(error)
      }
    }
    // One that fails, such as a store that is away, does not keep the others from their turn.
    if (failures.length > 0) throw new AggregateError(failures)
  })
  await boss.schedule(QUEUE, HOURLY)
}

async function inPortions(purge: Purge): Promise<number> {
  let total = 0
  for (;;) {
    const purged = await purge(PORTION)
    total += purged
    if (purged < PORTION) return total
  }
}
