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

/** Timeout of a request. It is longer than a write waits: a late response is cached for the next caller. */
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

/** Opens the configured weather source; undefined if weather is off. Disposing it aborts requests in progress. */
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

/** Counts every request against a budget that processes share through Redis or the database. */
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
