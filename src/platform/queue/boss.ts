import { PgBoss } from 'pg-boss'
import { errorText } from '../../core/errors.ts'
import type { ConnectionOptions } from '../database/database.ts'
import type { Logger } from '../logging/logger.ts'

export type { PgBoss }

const CONNECTIONS = 3
/** How often one of the processes looks for jobs whose worker gives no more sign of life. */
const SUPERVISE_SECONDS = 5

/**
 * Starts pg-boss, which keeps its jobs in the schema `pgboss` of our database. `schedules`: it also books
 * what is due by the clock.
 */
export async function startBoss(
  connection: ConnectionOptions,
  log: Logger,
  { schedules = true }: { schedules?: boolean } = {},
): Promise<PgBoss> {
  const boss = new PgBoss({
    ...(connection as object),
    application_name: 'taskwire jobs',
    max: CONNECTIONS,
    schedule: schedules,
    superviseIntervalSeconds: SUPERVISE_SECONDS,
    monitorIntervalSeconds: SUPERVISE_SECONDS,
  })
  boss.on('error', (error) => log.debug(`pg-boss: ${errorText(error)}`))
  boss.on('warning', ({ message }) => log.info(`pg-boss: ${message}`))
  await boss.start()
  return boss
}
