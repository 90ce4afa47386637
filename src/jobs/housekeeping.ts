import type { PgBoss } from 'pg-boss'
import type { Database } from '../database/database.ts'
import { purgeEvents } from '../events/outbox.ts'
import { purgeTrash } from '../features/tasks/index.ts'
import type { Logger } from '../logging/logger.ts'

const QUEUE = 'housekeeping'
const HOURLY = '17 * * * *'
/** So many rows go in one statement, so that nobody waits long for it. */
const PORTION = 5000

/** Once an hour, in one process: purges old events and what has been in the trash long enough. */
export async function startHousekeeping(deps: {
  boss: PgBoss
  db: Database
  log: Logger
  eventRetentionDays: number
  trashDays: number
}): Promise<void> {
  const { boss, db, log, eventRetentionDays, trashDays } = deps
  await boss.createQueue(QUEUE, { policy: 'short', deleteAfterSeconds: 86_400 })
  await boss.work(QUEUE, { pollingIntervalSeconds: 30 }, async () => {
    const events = await inPortions(() => purgeEvents(db, eventRetentionDays, PORTION))
    const tasks = await inPortions(() => purgeTrash(db, trashDays, PORTION))
    if (events + tasks > 0) log.info({ events, tasks }, 'purged')
  })
  await boss.schedule(QUEUE, HOURLY)
}

async function inPortions(purge: () => Promise<number>): Promise<number> {
  let total = 0
  for (;;) {
    const purged = await purge()
    total += purged
    if (purged < PORTION) return total
  }
}
