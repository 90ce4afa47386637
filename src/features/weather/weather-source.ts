import { errorText } from '../../core/errors.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import type { Metrics } from '../../platform/metrics/index.ts'
import { Breaker, NotAsked } from './breaker.ts'
import { cityKey } from './city-key.ts'
import type { Weather, WeatherProvider } from './weather.ts'
import type { Known, WeatherCache } from './weather-cache.ts'

/** The weather of cities, from wherever it is had. */
export interface WeatherSource {
  /**
   * The weather of a city, at most an hour old; null: no such city is known. Rejects when it cannot be
   * had now: with NotAsked when the provider was not even asked.
   */
  of(city: string): Promise<Weather | null>
}

const HOUR_MS = 3_600_000
/** No name of a city is longer; NFKC makes some characters eighteen. */
const MAX_KEY = 200
/** Cities that a process asks for at a time. */
const MAX_FLIGHTS = 50
const BREAKER = { failures: 5, restMs: 30_000 }

/**
 * Asks the provider what the cache does not know, once for each city however many want to know it, and
 * leaves it in peace while it is away.
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
    onOpen: (reason) => log.warn(`${provider.name} is away: ${errorText(reason)}`),
    onClose: () => log.info(`${provider.name} is back`),
  })

  async function find(city: string): Promise<Weather | null> {
    const known = await cache.lookUp(city)
    if (known) return hit(known)
    count.miss.add()
    const weather = await breaker.run(() => ask(city))
    // Whoever waits for it does not wait for Redis to have it.
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
      log.debug(`${provider.name} gave no weather: ${errorText(error)}`)
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
    metrics.counter('taskwire_weather_requests_total', 'Questions to the weather provider.', {
      provider,
      outcome,
    })
  const looked = (result: string) =>
    metrics.counter('taskwire_weather_cache_total', 'Cities looked for in the cache of weather.', { result })
  return {
    found: asked('found'),
    unknown: asked('unknown'),
    failed: asked('failed'),
    refused: asked('over_budget'),
    hit: looked('hit'),
    miss: looked('miss'),
  }
}
