import { PgBoss } from 'pg-boss'
import { errorText } from '../../core/errors.ts'
import type { ConnectionOptions } from '../database/database.ts'
import type { Logger } from '../logging/logger.ts'
import type { JobQueue, OpenOptions, QueueOptions } from './job-queue.ts'
import { pgBossQueue } from './pg-boss-queue.ts'

const CONNECTIONS = 3
/** How often one of the processes looks for jobs whose holder lost its claim. */
const SUPERVISE_SECONDS = 5
/** How long running handlers may take to finish when the queues are disposed. */
const GRACE_MS = 2_000

/** The durable job queues in the schema `pgboss` of the database. */
export interface JobQueues extends AsyncDisposable {
  /** Creates the queue if it does not exist. */
  open<Data extends object = object>(
    name: string,
    options: QueueOptions,
    how?: OpenOptions,
  ): Promise<JobQueue<Data>>
  /** Returns a queue without creating it. */
  get(name: string): JobQueue
}

/** Starts pg-boss on a database. `schedules`: this process also adds the jobs of cron schedules. */
export async function openJobQueues(
  connection: ConnectionOptions,
  log: Logger,
  { schedules = true }: { schedules?: boolean } = {},
): Promise<JobQueues> {
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
  return {
    async open<Data extends object>(
      name: string,
      options: QueueOptions,
      { ownTable, update }: OpenOptions = {},
    ) {
      await boss.createQueue(name, { ...options, ...(ownTable && { partition: true }) })
      if (update) await boss.updateQueue(name, options)
      return pgBossQueue<Data>(boss, name)
    },
    get: (name) => pgBossQueue(boss, name),
    [Symbol.asyncDispose]: () => boss.stop({ graceful: true, timeout: GRACE_MS, close: true }),
  }
}
