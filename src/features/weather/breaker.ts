/** Thrown if no request was sent, for instance because the breaker is open. It says nothing about the provider. */
export class NotAsked extends Error {
  override readonly name = 'NotAsked'
}

export interface BreakerOptions {
  failures: number
  restMs: number
  onOpen: (reason: unknown) => void
  onClose: () => void
  now?: () => number
}

/**
 * A circuit breaker. After `failures` failures in a row, no call is made for `restMs`; then one call at a time
 * is tried until one succeeds.
 */
export class Breaker {
  readonly #options: BreakerOptions
  #failed = 0
  #restsUntil = 0
  #trying = false

  constructor(options: BreakerOptions) {
    this.#options = options
  }

  /** Runs `work` and returns its result. Rejects with NotAsked, without calling it, while the breaker is open. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    const { failures, now = Date.now } = this.#options
    const isTrial = this.#failed >= failures
    if (isTrial && (this.#trying || now() < this.#restsUntil))
      throw new NotAsked('the circuit breaker is open')
    this.#trying = isTrial
    try {
      const result = await work()
      if (this.#failed >= failures) this.#options.onClose()
      this.#failed = 0
      return result
    } catch (error) {
      if (!(error instanceof NotAsked)) this.#fail(error, now())
      throw error
    } finally {
      if (isTrial) this.#trying = false
    }
  }

  #fail(error: unknown, at: number): void {
    const { failures, restMs, onOpen } = this.#options
    this.#failed++
    this.#restsUntil = at + restMs
    if (this.#failed === failures) onOpen(error)
  }
}
