import type { Redis } from '../../platform/redis/redis.ts'
import type { Weather } from './weather.ts'

/** What is known of a city for a while. */
export interface Known {
  /** null: the provider knows no such city. */
  weather: Weather | null
  /** Until when, in milliseconds since 1970. */
  until: number
}

/** Cities that a process remembers, some 300 bytes each; beyond, the one that was stored first is forgotten. */
const CAPACITY = 1_000

/** In Redis, where it is given, for all processes; each also remembers by itself, so it may be away. */
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

  /** What this process remembers. */
  recall(city: string): Known | undefined {
    const known = this.#memory.get(city)
    if (known && known.until > this.#now()) return known
    this.#memory.delete(city)
    return undefined
  }

  /** What another process has found. Never rejects. */
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

// What others put there is no reason to fail.
function parsed(text: string): Known | undefined {
  try {
    const known = JSON.parse(text)
    return typeof known?.until === 'number' && typeof known.weather === 'object' ? known : undefined
  } catch {
    return undefined
  }
}
