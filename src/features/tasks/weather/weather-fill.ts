import { errorText } from '../../../core/errors.ts'
import type { Database } from '../../../platform/database/database.ts'
import type { Logger } from '../../../platform/logging/logger.ts'
import type { JobQueues } from '../../../platform/queue/index.ts'
import { NotAsked, type WeatherSource } from '../../weather/index.ts'
import { type DueCity, dueWeather, fillWeather, forgetWeather, postponeWeather } from '../index.ts'

const QUEUE = 'weather-fill'
const EVERY_MINUTE = '* * * * *'
const POLL_SECONDS = 1
/** A process that dies with the job loses it after this. */
const HEARTBEAT_SECONDS = 30
/** Tasks that are looked at together, and cities that are asked for at a time. */
const PORTION = 500
const CONCURRENCY = 4
/** Delay in milliseconds that groups wake-ups. */
const WAKE_MS = 250

export interface WeatherFill extends AsyncDisposable {
  /** Says that a task has yet to get its weather. Cheap, and safe to call for each. */
  wake(): void
  /** Has this process fill in what is missing, in turn with the others. */
  work(): Promise<void>
}

/**
 * Fills in the weather that was missing when a task was written. The rows say which tasks wait for it, and until when;
 * the job only reads them. One job runs at a time in all processes: at the start, once a minute, and when `wake` is
 * called.
 */
export async function openWeatherFill(deps: {
  queues: JobQueues
  db: Database
  weather: WeatherSource
  log: Logger
  /** Called after each commit that published events. */
  onChange: () => void
}): Promise<WeatherFill> {
  const { queues, db, weather, log, onChange } = deps
  let stopping = false
  let timer: NodeJS.Timeout | undefined

  async function fill(): Promise<void> {
    for (;;) {
      const due = await dueWeather(db, PORTION)
      const cities = due.values()
      const asked = await Promise.all(Array.from({ length: CONCURRENCY }, () => fillAll(cities)))
      if (due.length === 0 || stopping || asked.includes(false)) return
    }
  }

  /** False when nobody can be asked for now: what is due stays so. */
  async function fillAll(cities: Iterator<DueCity> & Iterable<DueCity>): Promise<boolean> {
    for (const due of cities) {
      if (stopping || !(await fillOne(due))) return false
    }
    return true
  }

  async function fillOne(due: DueCity): Promise<boolean> {
    const { city, ids } = due
    const found = await weather.of(city).catch((error: unknown) => ({ error }))
    if (stopping) return false
    if (found === null) await forgetWeather(db, due)
    else if (!('error' in found)) {
      const filled = await fillWeather(db, due, found)
      if (filled > 0) db.afterCommit(onChange)
      db.afterCommit(() => log.info({ tasks: filled }, 'weather filled in'))
    } else if (found.error instanceof NotAsked) return false
    else {
      await postponeWeather(db, due)
      log.debug({ tasks: ids.length }, `weather is looked for again later: ${errorText(found.error)}`)
    }
    return true
  }

  const queue = await queues.open(QUEUE, {
    policy: 'stately',
    retryLimit: 0,
    expireInSeconds: 3600,
    heartbeatSeconds: HEARTBEAT_SECONDS,
    deleteAfterSeconds: 3600,
  })
  const wake = () => {
    timer ??= setTimeout(() => {
      timer = undefined
      queue.send({}).catch((error) => log.debug(`weather is filled in later: ${errorText(error)}`))
    }, WAKE_MS).unref()
  }
  return {
    wake,
    async work() {
      await queue.work(POLL_SECONDS, fill)
      await queue.schedule(EVERY_MINUTE)
      wake()
    },
    async [Symbol.asyncDispose]() {
      stopping = true
      clearTimeout(timer)
      await queue.stopWork()
    },
  }
}
