import cluster, { type Worker } from 'node:cluster'
import { setTimeout as delay } from 'node:timers/promises'
import { errorText, StartupError } from '../../core/errors.ts'
import type { Config } from '../config/config.ts'
import type { ConnectionOptions } from '../database/database.ts'
import { startEmbeddedPostgres } from '../database/embedded.ts'
import { migrate } from '../database/migrate.ts'
import type { Logger } from '../logging/logger.ts'
import type { Family } from '../metrics/index.ts'
import { memoryCounter } from '../rate-limit/index.ts'
import { type Channel, openChannel } from './channel.ts'
import { serveCounters } from './shared-counters.ts'

/** Maximum number of connections of one process: its pool, those of pg-boss, and those that listen. */
const CONNECTIONS = 24
const RESTART_MS = { min: 100, max: 5_000 }
/** One that ran for so long starts again at once when it ends. */
const HEALTHY_MS = 10_000
/** Workers that have not ended by then are killed. */
const STOP_MS = 19_000

const METRICS_MS = 1_000

/** The first message to a worker process. */
export interface Assignment {
  /** From 1. */
  index: number
  connection: ConnectionOptions
}

/** The response of a worker process when it is ready. */
export interface Served {
  url: string
  setupLink: string | undefined
}

interface Running {
  worker: Worker
  channel: Channel
  exited: Promise<{ code: number | null; signal: string | null }>
}

/**
 * Runs `WORKERS` processes that share the port and one database, and restarts those that end unexpectedly. The
 * embedded PostgreSQL and the counters of rate limits exist once, so they run in this process. Disposing it stops the
 * processes in order, and then the database.
 */
export async function startWorkerProcesses(config: Config, log: Logger): Promise<Served & AsyncDisposable> {
  await using stack = new AsyncDisposableStack()
  const connection = await databaseFor(config, log, stack)
  const migrated = await migrate(connection)
  if (migrated.length > 0) log.info({ migrations: migrated }, 'schema updated')

  const running = new Map<number, Running>()
  const count = serveCounters(memoryCounter)
  const stopping = new AbortController()

  async function start(index: number): Promise<Served> {
    const worker = cluster.fork()
    const channel = openChannel(worker)
    channel.answer('count', count)
    channel.answer('metrics', () => metricsOf([...running.values()]))
    const exited = new Promise<Awaited<Running['exited']>>((resolve) => {
      worker.once('exit', (code, signal) => resolve({ code, signal }))
      // One that could not even be started does not exit.
      worker.on('error', () => worker.process.pid ?? resolve({ code: null, signal: null }))
    })
    running.set(index, { worker, channel, exited })
    try {
      return await channel.call<Served>('start', { index, connection } satisfies Assignment)
    } catch (error) {
      worker.process.kill('SIGKILL')
      await exited
      throw error
    }
  }

  async function keepRunning(index: number): Promise<void> {
    let wait = RESTART_MS.min
    for (;;) {
      const since = performance.now()
      const { code, signal } = await running.get(index)!.exited
      if (stopping.signal.aborted) return
      log.warn(
        { worker: index },
        `worker ended unexpectedly (${signal ?? `code ${code}`}); starting it again`,
      )
      if (performance.now() - since > HEALTHY_MS) wait = RESTART_MS.min
      for (let up = false; !up; wait = Math.min(wait * 2, RESTART_MS.max)) {
        await delay(wait, undefined, { signal: stopping.signal }).catch(() => {})
        if (stopping.signal.aborted) return
        up = await start(index).then(
          () => true,
          (error) => {
            log.warn({ worker: index }, `worker does not start: ${errorText(error)}`)
            return false
          },
        )
      }
      log.info({ worker: index }, 'worker runs again')
    }
  }

  stack.defer(async () => {
    stopping.abort()
    const timer = setTimeout(() => {
      for (const { worker } of running.values()) worker.process.kill('SIGKILL')
    }, STOP_MS)
    await Promise.all(
      Array.from(running.values(), async ({ channel, exited }) => {
        channel.call('stop').catch(() => {})
        await exited
      }),
    )
    clearTimeout(timer)
  })
  // The first alone: what is wrong with the settings is said once, and what is made once is made by it.
  const served = await start(1).catch((error) => {
    throw new StartupError(errorText(error))
  })
  const others = Array.from({ length: config.WORKERS - 1 }, (_, index) => index + 2)
  await Promise.all(others.map(start))
  const supervision = [1, ...others].map(keepRunning)

  const owned = stack.move()
  return {
    ...served,
    async [Symbol.asyncDispose]() {
      stopping.abort()
      await owned.disposeAsync()
      await Promise.all(supervision)
    },
  }
}

async function databaseFor(
  { DATABASE_URL, DATA_DIR, WORKERS }: Config,
  log: Logger,
  stack: AsyncDisposableStack,
): Promise<ConnectionOptions> {
  if (DATABASE_URL) return { connectionString: DATABASE_URL }
  const options = { dataDir: DATA_DIR, log, connections: WORKERS * CONNECTIONS }
  return stack.use(await startEmbeddedPostgres(options)).connection
}

/** Returns the metrics of the processes that respond in time, so that one that starts or hangs does not hide the others. */
async function metricsOf(running: Running[]): Promise<Family[][]> {
  const late = delay(METRICS_MS, undefined, { ref: false })
  const answers = await Promise.all(
    running.map(({ channel }) =>
      Promise.race([channel.call<Family[]>('own-metrics').catch(() => undefined), late]),
    ),
  )
  return answers.filter((answer) => answer !== undefined)
}
