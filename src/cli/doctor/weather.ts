import { unlessAborted } from '../../core/abort.ts'
import { errorText } from '../../core/errors.ts'
import { openWeatherSource } from '../../features/weather/index.ts'
import type { Config } from '../../platform/config/config.ts'
import { createMetrics } from '../../platform/metrics/index.ts'
import { memoryCounter } from '../../platform/rate-limit/index.ts'
import { adviceFor, type Finding, inTime, ok, warning } from './finding.ts'
import { silent } from './silent.ts'

/** One that every provider knows. */
const CITY = 'Moscow'

/** Checks that the weather provider responds to a request like those for tasks. Everything else works without it. */
export async function checkWeather(config: Config): Promise<Finding[]> {
  using source = openWeatherSource({
    ...{ config, redis: undefined, counters: memoryCounter },
    ...{ log: silent, metrics: createMetrics() },
  })
  if (!source) return []
  const [name, setting] = config.OPENWEATHER_API_KEY
    ? ['OpenWeather', 'OPENWEATHER_URL and OPENWEATHER_API_KEY']
    : ['Open-Meteo', 'OPEN_METEO_URL and OPEN_METEO_GEOCODING_URL']
  try {
    const weather = await inTime((signal) => unlessAborted(source.of(CITY), signal))
    if (!weather) throw new Error(`it does not know ${CITY}`)
    return [ok('weather', `${name} tells the weather`)]
  } catch (error) {
    const advice = `${adviceFor(error, name, setting)}, or set WEATHER=off`
    return [warning('weather', `${name} does not tell the weather: ${errorText(error)}`, advice)]
  }
}
