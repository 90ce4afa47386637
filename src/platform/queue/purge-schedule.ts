import type { Logger } from '../logging/logger.ts'
import type { JobQueues } from './job-queues.ts'

const QUEUE = 'housekeeping'
const HOURLY = '17 * * * *'
/** Rows that one statement deletes at most, so that it holds its locks only briefly. */
const BATCH = 5000

/** Deletes up to `limit` expired rows and returns how many it deleted. It is called again while it returns `limit`. */
export type Purge = (limit: number) => Promise<number>

/** Runs the purges once an hour, in one of the processes. The names of the purges appear in the log. */
export async function startPurgeSchedule(deps: {
  queues: JobQueues
  log: Logger
  purges: Record<string, Purge>
}): Promise<void> {
  const { queues, log, purges } = deps
  const queue = await queues.open(QUEUE, { policy: 'short', deleteAfterSeconds: 86_400 })
  await queue.work(30, async () => {
    const failures: unknown[] = []
    for (const [name, purge] of Object.entries(purges)) {
      try {
        const purged = await inBatches(purge)
        if (purged > 0) log.info({ [name]: purged }, 'purged')
      } catch (error) {
        failures.push(error)
      }
    }
    // A purge that fails, for example because a store is unavailable, must not keep the others from running.
    if (failures.length > 0) throw new AggregateError(failures)
  })
  await queue.schedule(HOURLY)
}

async function inBatches(purge: Purge): Promise<number> {
  let total = 0
  for (;;) {
    const purged = await purge(BATCH)
    total += purged
    if (purged < BATCH) return total
  }
}
