import { errorText, StartupError } from '../core/errors.ts'
import { type ChannelEnd, openChannel } from '../platform/cluster/channel.ts'
import { sharedCounters } from '../platform/cluster/shared-counters.ts'
import type { Assignment, Served } from '../platform/cluster/worker-processes.ts'
import type { Config } from '../platform/config/config.ts'
import type { Logger } from '../platform/logging/logger.ts'
import type { Family } from '../platform/metrics/index.ts'
import { startApp } from './app.ts'

/**
 * Runs one of several processes that share a port. The primary passes the database. Resolves to an exit code when
 * `stop` resolves or the primary has ended.
 */
export async function runWorkerProcess(config: Config, log: Logger, stop: Promise<unknown>): Promise<number> {
  const end = process as ChannelEnd
  const orphaned = new Promise((resolve) => end.on('disconnect', () => resolve('the primary process ended')))
  const channel = openChannel(end)
  const served = Promise.withResolvers<Served>()
  const { index, connection } = await new Promise<Assignment>((resolve) => {
    channel.answer('start', (assignment: Assignment) => {
      resolve(assignment)
      return served.promise
    })
  })
  const told = new Promise((resolve) => channel.answer('stop', () => resolve('the primary process says so')))
  const own = log.child({ worker: index })
  try {
    await using app = await startApp(config, own, {
      index,
      connection,
      counters: sharedCounters(channel),
      metricsOfAll: () => channel.call<Family[][]>('metrics'),
    })
    channel.answer('own-metrics', () => app.metrics())
    served.resolve({ url: app.url, setupLink: app.setupLink })
    own.info({ pid: process.pid }, 'worker serves')
    await Promise.race([stop, told, orphaned])
  } catch (error) {
    if (!(error instanceof StartupError)) own.fatal({ err: error }, `cannot go on: ${errorText(error)}`)
    served.reject(error)
    await orphaned // The primary ends this process after receiving the message.
    return 1
  }
  process.disconnect?.()
  return 0
}
