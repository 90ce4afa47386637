import type { PgBoss } from 'pg-boss'
import { errorText } from '../../core/errors.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import type { Importer } from './importer.ts'
import type { ImportRunner } from './runner.ts'

/** How often it is made sure that each importer has its next run booked. */
const CHECK_MS = 60_000
/** A run is bounded to far less; past this pg-boss gives its job up. */
const EXPIRE_SECONDS = 300

/**
 * Books the runs of the importers: one at start, then one each interval. Cron is minute-grained, so
 * an interval is a job of which only one can wait (the queue's policy, across all processes) and
 * which books its successor; a check now and then books it again should it ever be missing.
 */
export async function startImportSchedule(deps: {
  boss: PgBoss
  runner: ImportRunner
  importers: Importer[]
  log: Logger
}): Promise<AsyncDisposable> {
  const { boss, runner, importers, log } = deps
  const book = (importer: Importer, startAfter: number | Date) =>
    boss.send(queueOf(importer), {}, { startAfter })

  for (const importer of importers) {
    const queue = queueOf(importer)
    await boss.createQueue(queue, {
      policy: 'short',
      retryLimit: 0,
      expireInSeconds: EXPIRE_SECONDS,
      deleteAfterSeconds: 3600,
    })
    await boss.deleteQueuedJobs(queue) // Booked before this start, maybe with another interval.
    await book(importer, 0)
    await boss.work(queue, { pollingIntervalSeconds: 1, includeMetadata: true }, async ([job]) => {
      const { startAfter, startedOn } = job!
      const began = performance.now()
      try {
        await runner.run(importer, 'schedule')
      } catch (error) {
        log.warn({ importer: importer.name }, `import could not run: ${errorText(error)}`)
      } finally {
        // All by the clock of the database: ours may be another.
        const now = startedOn.getTime() + performance.now() - began
        await book(importer, nextOnGrid(startAfter, importer.intervalSeconds, now))
      }
    })
  }

  const check = setInterval(() => {
    for (const importer of importers) {
      book(importer, importer.intervalSeconds).catch((error) =>
        log.debug(`next run of ${importer.name} not booked yet: ${errorText(error)}`),
      )
    }
  }, CHECK_MS).unref()

  return {
    async [Symbol.asyncDispose]() {
      clearInterval(check)
      await Promise.all(importers.map((importer) => boss.offWork(queueOf(importer), { wait: false })))
    },
  }
}

/** When the next run is due, whichever process has booked it; undefined while none is. */
export async function nextRun(boss: PgBoss, importer: Importer): Promise<Date | undefined> {
  const queue = queueOf(importer)
  if (!(await boss.getQueue(queue))) return undefined
  const [job] = await boss.findJobs(queue, { queued: true })
  return job?.startAfter
}

function queueOf(importer: Importer): string {
  return `import-${importer.name}`
}

/** Runs stay on the grid of the first; those that came due during a run are skipped. */
function nextOnGrid(due: Date, interval: number, now: number): Date {
  const passed = Math.max(0, Math.floor((now - due.getTime()) / 1000 / interval))
  return new Date(due.getTime() + (passed + 1) * interval * 1000)
}
