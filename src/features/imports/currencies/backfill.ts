import { setTimeout as delay } from 'node:timers/promises'
import { errorText } from '../../../core/errors.ts'
import type { Database } from '../../../platform/database/database.ts'
import type { Logger } from '../../../platform/logging/logger.ts'
import type { JobQueues } from '../../../platform/queue/index.ts'
import { fetchRates } from './cbr-source.ts'
import { hasRates, nextMissingDay, saveDay } from './save-rates.ts'

const QUEUE = 'currency-backfill'
const HOURLY = '47 * * * *'
/** A job whose process died is retried after this time. */
const HEARTBEAT_SECONDS = 30
/** The pause between two requests, out of courtesy; the first retry delay, which grows; the poll interval. */
const TIMING = { pauseMs: 1_000, retrySeconds: 5, pollSeconds: 5 }

/**
 * Fetches the rates of the last `days` days into the history, one request at a time, the latest day first. Each day is
 * saved separately, so that the backfill resumes after a failure or a restart. It also fetches the days on which the
 * server was down. Its queue holds one job across all processes.
 */
export async function startBackfill(deps: {
  queues: JobQueues
  db: Database
  log: Logger
  url: string
  days: number
  timing?: typeof TIMING
}): Promise<AsyncDisposable> {
  const { queues, db, log, url, days, timing = TIMING } = deps
  const stopping = new AbortController()
  const { signal } = stopping

  async function fill(): Promise<void> {
    // Without currencies, which the first import creates, there is nothing to store a history of.
    if (!(await hasRates(db))) throw new Error('no rates have been imported yet')
    let filled = 0
    try {
      for (;;) {
        const day = await nextMissingDay(db, days)
        if (day === undefined) return
        if (filled > 0) await delay(timing.pauseMs, undefined, { signal })
        await saveDay(db, await fetchRates(url, signal, day), day)
        filled++
      }
    } finally {
      if (filled > 0) log.info({ days: filled }, 'rate history backfilled')
    }
  }

  const queue = await queues.open(QUEUE, {
    policy: 'exclusive',
    retryLimit: 8,
    retryDelay: timing.retrySeconds,
    retryBackoff: true,
    expireInSeconds: 86_399,
    heartbeatSeconds: HEARTBEAT_SECONDS,
    deleteAfterSeconds: 3600,
  })
  await queue.work(timing.pollSeconds, async () => {
    try {
      await fill()
    } catch (error) {
      log.info(`rate history not complete yet: ${errorText(error)}`)
      throw error
    }
  })
  await queue.send({})
  await queue.schedule(HOURLY)
  return {
    async [Symbol.asyncDispose]() {
      stopping.abort()
      await queue.stopWork()
    },
  }
}
