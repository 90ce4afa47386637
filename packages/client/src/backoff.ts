export interface Backoff {
  /** The longest first pause. */
  minMs: number
  /** The longest pause there is. */
  maxMs: number
}

/** Timers hold 31 bits of milliseconds, and nobody waits for a day because a header says so. */
const LONGEST_MS = 60 * 60 * 1000

/**
 * A pause before attempt number `attempt` (from 0): anything from nothing to a bound that doubles each
 * time, so that the clients of a server that restarts do not come back all at once ("full jitter",
 * M. Brooker, Exponential Backoff And Jitter, AWS 2015).
 */
export function fullJitter(attempt: number, { minMs, maxMs }: Backoff): number {
  return Math.random() * Math.min(maxMs, minMs * 2 ** attempt)
}

/** Milliseconds of a Retry-After header: seconds or a date (RFC 9110, section 10.2.3). */
export function retryAfterMs(header: string | null, now = Date.now()): number | undefined {
  if (header === null) return undefined
  const ms = /^\d+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - now
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), LONGEST_MS)
}

/** Waits; rejects with the reason of `signal` when that is aborted. */
export function delay(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const stop = () => {
      clearTimeout(timer)
      reject(signal!.reason)
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop)
      resolve()
    }, ms)
    signal?.addEventListener('abort', stop, { once: true })
  })
}
