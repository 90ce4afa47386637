import type { Config } from '../../platform/config/config.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import type { Metrics } from '../../platform/metrics/index.ts'
import { download } from '../../platform/outbound/download.ts'
import { type CounterFactory, createRateLimiter, type RateLimiter } from '../../platform/rate-limit/index.ts'
import type { Redis } from '../../platform/redis/redis.ts'
import { NotAsked } from './breaker.ts'
import { openMeteo } from './open-meteo.ts'
import { openWeather } from './open-weather.ts'
import type { GetJson, WeatherProvider } from './weather.ts'
import { WeatherCache } from './weather-cache.ts'
import { createWeatherSource, type WeatherSource } from './weather-source.ts'

/** Longer than a write waits: what comes later is there for whoever asks next. */
const TIMEOUT_MS = 8_000
const MAX_BYTES = 64 * 1024

type Settings = Pick<
  Config,
  | 'WEATHER'
  | 'WEATHER_REQUESTS_PER_MINUTE'
  | 'OPENWEATHER_API_KEY'
  | 'OPENWEATHER_URL'
  | 'OPEN_METEO_URL'
  | 'OPEN_METEO_GEOCODING_URL'
>

/** The source that the settings name; undefined where weather is off. Disposing it ends what is under way. */
export function openWeatherSource(deps: {
  config: Settings
  redis: Redis | undefined
  counters: CounterFactory
  log: Logger
  metrics: Metrics
}): (WeatherSource & Disposable) | undefined {
  const { config, redis, counters, log, metrics } = deps
  if (config.WEATHER === 'off') return undefined
  const points = config.WEATHER_REQUESTS_PER_MINUTE
  const budget = createRateLimiter({ name: 'weather', points, seconds: 60, redis, counters, log })
  const closing = new AbortController()
  const provider = providerOf(config, getWithin(budget, closing.signal))
  const cache = new WeatherCache({ redis, prefix: `taskwire:weather:${provider.name}:` })
  const source = createWeatherSource({ provider, cache, log, metrics })
  return { ...source, [Symbol.dispose]: () => closing.abort() }
}

function providerOf(config: Settings, get: GetJson): WeatherProvider {
  return config.OPENWEATHER_API_KEY
    ? openWeather({ url: config.OPENWEATHER_URL, key: config.OPENWEATHER_API_KEY, get })
    : openMeteo({ url: config.OPEN_METEO_URL, geocodingUrl: config.OPEN_METEO_GEOCODING_URL, get })
}

/** Every request is one of the budget, which all processes share that share anything. */
function getWithin(budget: RateLimiter, signal: AbortSignal): GetJson {
  return async (url, statuses = [200]) => {
    if (!(await budget.consume('requests')).allowed) throw new NotAsked('over the budget of the minute')
    const bytes = await download(url.href, {
      timeoutMs: TIMEOUT_MS,
      maxBytes: MAX_BYTES,
      accept: 'application/json',
      statuses,
      signal,
    })
    try {
      return JSON.parse(bytes.toString())
    } catch {
      throw new Error('the answer is not JSON')
    }
  }
}
