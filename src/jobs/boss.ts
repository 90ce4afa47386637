import { PgBoss } from 'pg-boss'
import { errorText } from '../core/errors.ts'
import type { ConnectionOptions } from '../database/database.ts'
import type { Logger } from '../logging/logger.ts'

const CONNECTIONS = 3

/** Starts pg-boss, which keeps its jobs in the schema `pgboss` of our database. */
export async function startBoss(connection: ConnectionOptions, log: Logger): Promise<PgBoss> {
  const boss = new PgBoss({ ...(connection as object), application_name: 'taskwire jobs', max: CONNECTIONS })
  boss.on('error', (error) => log.debug(`pg-boss: ${errorText(error)}`))
  boss.on('warning', ({ message }) => log.info(`pg-boss: ${message}`))
  await boss.start()
  return boss
}
