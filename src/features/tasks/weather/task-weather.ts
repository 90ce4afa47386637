import type { Actor } from '../../../core/actor.ts'
import { type Action, authorize } from '../../../core/authorization.ts'
import type { Weather, WeatherSource } from '../../weather/index.ts'
import type { TaskRow } from '../task-columns.ts'

/** How long a write waits for the weather of its city: of 2 s, the rest is for the write. */
const PATIENCE_MS = 1_500

/** The weather of the cities that tasks are given. */
export interface TaskWeather {
  /** Returns the weather to store with the task; null: no city, an unknown city, or no response in time. */
  of(actor: Actor, action: Action, city: string | null | undefined): Promise<Weather | null> | null
  /** Call after the commit of a task that may have been given a city. */
  written(row: Pick<TaskRow, 'city' | 'weather'>): void
}

/** `onMissing` is called where a task has yet to get its weather. */
export function createTaskWeather(source: WeatherSource | undefined, onMissing: () => void): TaskWeather {
  return {
    of(actor, action, city) {
      if (!source || !city) return null
      // Nobody outside is asked on behalf of who may not write.
      authorize(actor, action)
      const { promise: late, resolve } = Promise.withResolvers<null>()
      const timer = setTimeout(resolve, PATIENCE_MS, null)
      // Weather that fails or arrives late is filled in later.
      return Promise.race([source.of(city).catch(() => null), late]).finally(() => clearTimeout(timer))
    },
    written({ city, weather }) {
      if (city !== null && weather === null) onMissing()
    },
  }
}
