import { errorText } from '../../core/errors.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import type { Metrics } from '../../platform/metrics/index.ts'
import { Breaker, NotAsked } from './breaker.ts'
import { cityKey } from './city-key.ts'
import type { Weather, WeatherProvider } from './weather.ts'
import type { Known, WeatherCache } from './weather-cache.ts'

/** A source of the weather of cities. */
export interface WeatherSource {
  /**
   * Returns the weather of a city, at most an hour old; null: the city is unknown. Rejects if the weather is not
   * available now: with NotAsked if no request was sent to the provider.
   */
  of(city: string): Promise<Weather | null>
}

const HOUR_MS = 3_600_000
/** Maximum length of a city key. NFKC expands some characters to eighteen. */
const MAX_KEY = 200
/** Maximum number of concurrent requests to the provider. */
const MAX_FLIGHTS = 50
const BREAKER = { failures: 5, restMs: 30_000 }

/**
 * Creates a source that asks the provider for cities that are not in the cache. Concurrent callers for one city share
 * one request (single flight). A circuit breaker pauses requests while the provider fails.
 */
export function createWeatherSource(deps: {
  provider: WeatherProvider
  cache: WeatherCache
  log: Logger
  metrics: Metrics
  now?: () => number
}): WeatherSource {
  const { provider, cache, log, metrics, now = Date.now } = deps
  const flights = new Map<string, Promise<Weather | null>>()
  const count = counters(metrics, provider.name)
  const breaker = new Breaker({
    ...BREAKER,
    now,
    onOpen: (reason) => log.warn(`${provider.name} is unavailable: ${errorText(reason)}`),
    onClose: () => log.info(`${provider.name} is available again`),
  })

  async function find(city: string): Promise<Weather | null> {
    const known = await cache.lookUp(city)
    if (known) return hit(known)
    count.miss.add()
    const weather = await breaker.run(() => ask(city))
    // Callers do not wait until Redis has stored the result.
    void cache.store(city, { weather, until: now() + HOUR_MS })
    return weather
  }

  async function ask(city: string): Promise<Weather | null> {
    try {
      const weather = (await provider.observe(city)) ?? null
      count[weather ? 'found' : 'unknown'].add()
      return weather
    } catch (error) {
      count[error instanceof NotAsked ? 'refused' : 'failed'].add()
      log.debug(`${provider.name} returned no weather: ${errorText(error)}`)
      throw error
    }
  }

  function hit({ weather }: Known): Weather | null {
    count.hit.add()
    return weather
  }

  return {
    async of(city) {
      const key = cityKey(city)
      if (key === '' || key.length > MAX_KEY) return null
      const known = cache.recall(key)
      if (known) return hit(known)
      const flight = flights.get(key)
      if (flight) return flight
      if (flights.size >= MAX_FLIGHTS) throw new NotAsked('too many cities are asked for')
      const found = find(key).finally(() => flights.delete(key))
      flights.set(key, found)
      return found
    },
  }
}

function counters(metrics: Metrics, provider: string) {
  const asked = (outcome: string) =>
    metrics.counter('taskwire_weather_requests_total', 'Requests to the weather provider, by outcome.', {
      provider,
      outcome,
    })
  const looked = (result: string) =>
    metrics.counter('taskwire_weather_cache_total', 'Lookups in the weather cache, by result.', { result })
  return {
    found: asked('found'),
    unknown: asked('unknown'),
    failed: asked('failed'),
    refused: asked('over_budget'),
    hit: looked('hit'),
    miss: looked('miss'),
  }
}
