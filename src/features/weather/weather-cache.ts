import type { Redis } from '../../platform/redis/redis.ts'
import type { Weather } from './weather.ts'

/** A cached result for a city. */
export interface Known {
  /** null: the provider knows no such city. */
  weather: Weather | null
  /** Expiry, in milliseconds since 1970. */
  until: number
}

/** Maximum number of cities in the memory of a process, about 300 bytes each. The oldest entry is evicted. */
const CAPACITY = 1_000

/** Creates a cache in memory and, if configured, in Redis for all processes. Redis may be unavailable. */
export class WeatherCache {
  readonly #memory = new Map<string, Known>()
  readonly #redis: Redis | undefined
  readonly #prefix: string
  readonly #now: () => number
  readonly #capacity: number

  constructor({
    redis,
    prefix,
    now = Date.now,
    capacity = CAPACITY,
  }: {
    redis: Redis | undefined
    prefix: string
    now?: () => number
    capacity?: number
  }) {
    this.#redis = redis
    this.#prefix = prefix
    this.#now = now
    this.#capacity = capacity
  }

  /** Reads the memory of this process. */
  recall(city: string): Known | undefined {
    const known = this.#memory.get(city)
    if (known && known.until > this.#now()) return known
    this.#memory.delete(city)
    return undefined
  }

  /** Reads Redis. Never rejects. */
  async lookUp(city: string): Promise<Known | undefined> {
    const text = await this.#redis?.send(['GET', this.#prefix + city]).catch(() => undefined)
    const known = typeof text === 'string' ? parsed(text) : undefined
    if (!known || known.until <= this.#now()) return undefined
    this.#remember(city, known)
    return known
  }

  /** Never rejects. */
  async store(city: string, known: Known): Promise<void> {
    this.#remember(city, known)
    const milliseconds = String(Math.max(1, Math.ceil(known.until - this.#now())))
    await this.#redis
      ?.send(['SET', this.#prefix + city, JSON.stringify(known), 'PX', milliseconds])
      .catch(() => {})
  }

  #remember(city: string, known: Known): void {
    this.#memory.delete(city)
    this.#memory.set(city, known)
    if (this.#memory.size > this.#capacity) this.#memory.delete(this.#memory.keys().next().value!)
  }
}

// Foreign content in Redis is ignored.
function parsed(text: string): Known | undefined {
  try {
    const known = JSON.parse(text)
    return typeof known?.until === 'number' && typeof known.weather === 'object' ? known : undefined
  } catch {
    return undefined
  }
}
