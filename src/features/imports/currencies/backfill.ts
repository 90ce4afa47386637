import { setTimeout as delay } from 'node:timers/promises'
import { errorText } from '../../../core/errors.ts'
import type { Database } from '../../../platform/database/database.ts'
import type { Logger } from '../../../platform/logging/logger.ts'
import type { JobQueues } from '../../../platform/queue/index.ts'
import { fetchRates } from './cbr-source.ts'
import { hasRates, nextMissingDay, saveDay } from './save-rates.ts'

const QUEUE = 'currency-backfill'
const HOURLY = '47 * * * *'
/** A process that dies with the job loses it after this. */
const HEARTBEAT_SECONDS = 30
/** Between two requests, out of courtesy; after a failure, which grows; and between two looks at the queue. */
const TIMING = { pauseMs: 1_000, retrySeconds: 5, pollSeconds: 5 }

/**
 * Fills the history with the rates of the last `days` days, one request at a time, the latest day
 * first. Each day is saved by itself, so it goes on where it stopped, after a failure or a restart, and
 * days for which the server was down are filled in too. The queue has one job in all processes.
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
    // Before the first import there are no currencies that could have a history.
    if (!(await hasRates(db))) throw new Error('no rates were imported yet')
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
      if (filled > 0) log.info({ days: filled }, 'history of rates filled in')
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
      log.info(`history of rates is not complete yet: ${errorText(error)}`)
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
