import { errorText } from '../../core/errors.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import type { JobQueue, JobQueues } from '../../platform/queue/index.ts'
import type { Importer } from './importer.ts'
import type { ImportRunner } from './runner.ts'

/** How often the schedule checks that each importer has a next run. */
const CHECK_MS = 60_000
/** A job that takes longer is given up. An import has much shorter timeouts of its own. */
const EXPIRE_SECONDS = 300

/**
 * Runs the importers: each once at the start, then once per interval. Cron has a resolution of one minute, so each
 * run enqueues the next one instead. The policy of the queue allows one waiting run across all processes, and a
 * regular check enqueues a run that is missing.
 */
export async function startImportSchedule(deps: {
  queues: JobQueues
  runner: ImportRunner
  importers: Importer[]
  log: Logger
}): Promise<AsyncDisposable> {
  const { queues, runner, importers, log } = deps
  const scheduled: { importer: Importer; queue: JobQueue }[] = []

  for (const importer of importers) {
    const queue = await queues.open(queueOf(importer), {
      policy: 'short',
      retryLimit: 0,
      expireInSeconds: EXPIRE_SECONDS,
      deleteAfterSeconds: 3600,
    })
    scheduled.push({ importer, queue })
    await queue.clear() // A waiting run may have been enqueued with another interval.
    await queue.send({}, 0)
    await queue.work(1, async ({ startAfter, startedOn }) => {
      const began = performance.now()
      try {
        await runner.run(importer, 'schedule')
      } catch (error) {
        log.warn({ importer: importer.name }, `import could not run: ${errorText(error)}`)
      } finally {
        // All times are read from the clock of the database, which may differ from ours.
        const now = startedOn.getTime() + performance.now() - began
        await queue.send({}, nextOnGrid(startAfter, importer.intervalSeconds, now))
      }
    })
  }

  const check = setInterval(() => {
    for (const { importer, queue } of scheduled) {
      queue
        .send({}, importer.intervalSeconds)
        .catch((error) => log.debug(`next run of ${importer.name} not enqueued yet: ${errorText(error)}`))
    }
  }, CHECK_MS).unref()

  return {
    async [Symbol.asyncDispose]() {
      clearInterval(check)
      await Promise.all(scheduled.map(({ queue }) => queue.stopWork()))
    },
  }
}

/** Returns when the next run is due, whichever process enqueued it; undefined if there is none. */
export async function nextRun(queues: JobQueues, importer: Importer): Promise<Date | undefined> {
  return queues.get(queueOf(importer)).nextDue()
}

function queueOf(importer: Importer): string {
  return `import-${importer.name}`
}

/** Returns the next time on the grid of the first run. Times that passed during a run are skipped. */
function nextOnGrid(due: Date, interval: number, now: number): Date {
  const passed = Math.max(0, Math.floor((now - due.getTime()) / 1000 / interval))
  return new Date(due.getTime() + (passed + 1) * interval * 1000)
}
