import cluster from 'node:cluster'
import { errorText, StartupError } from './core/errors.ts'
import { type Config, loadConfig } from './platform/config/config.ts'
import { readEnvironment } from './platform/config/env.ts'
import { type Log, type Logger, openLog } from './platform/logging/logger.ts'
import { giveBackWhenIdle } from './platform/memory/idle-memory.ts'

/** A shutdown that takes longer is cut off. */
const SHUTDOWN_MS = 20_000

/** Runs the server until SIGINT or SIGTERM; resolves to the exit code. */
export async function serve(): Promise<number> {
  let config: Config
  try {
    config = loadConfig(readEnvironment())
  } catch (error) {
    process.stderr.write(`${errorText(error)}\n`)
    return 1
  }
  await using log = await openLog({
    level: config.LOG_LEVEL,
    file: config.LOG_FILE,
    shared: config.WORKERS > 1,
  })
  using _memory = giveBackWhenIdle()
  const signal = nextSignal(log.logger)
  if (cluster.isWorker) {
    const { runWorkerProcess } = await import('./app/worker-process.ts')
    return await runWorkerProcess(config, log.logger, signal)
  }
  return await run(config, log, signal)
}

async function run(config: Config, { logger, flush }: Log, signal: Promise<string>): Promise<number> {
  try {
    await using app = await started(config, logger)
    logger.info({ url: app.url, pid: process.pid }, `taskwire is ready at ${app.url}`)
    flush() // Who started us waits for this line.
    // Not by the log: it is kept, and the link is a secret.
    if (app.setupLink) process.stdout.write(setupNotice(app.setupLink))
    if (process.stdout.isTTY) process.stdout.write(banner(app.url, config))
    logger.info(`${await signal} received, stopping`)
  } catch (error) {
    if (error instanceof StartupError) for (const line of error.message.split('\n')) logger.fatal(line)
    else logger.fatal({ err: error }, `cannot go on: ${errorText(error)}`)
    return 1
  }
  logger.info('stopped')
  return 0
}

// A supervisor does not pay for the server that its workers are.
async function started(config: Config, logger: Logger) {
  if (config.WORKERS > 1)
    return (await import('./platform/cluster/worker-processes.ts')).startWorkerProcesses(config, logger)
  return (await import('./app/app.ts')).startApp(config, logger)
}

/** The first signal asks for an orderly end, bounded in time; the second does not wait for it. */
function nextSignal(logger: Logger): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let asked = false
    const onSignal = (name: NodeJS.Signals) => {
      if (asked) process.exit(130)
      asked = true
      setTimeout(() => {
        logger.warn(`not stopped after ${SHUTDOWN_MS / 1000} s, giving up`)
        process.exit(1)
      }, SHUTDOWN_MS).unref()
      resolve(name)
    }
    process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
  })
}

function setupNotice(link: string): string {
  return `
  There is no admin yet. Make one within 30 minutes at
    ${link}
  (behind a proxy, with its address in place of this one), or at any time with
    taskwire user create NAME --admin

`
}

function banner(url: string, config: Config): string {
  return `
  Taskwire is running on ${config.DATABASE_URL ? 'your PostgreSQL' : `its own PostgreSQL in ${config.DATA_DIR}`}

    Tasks          ${url}/tasks
    Live events    ${url.replace('http', 'ws')}/ws/tasks
    API            ${url}/docs

  Ctrl-C stops it.

`
}
