/** Seconds to wait after each failed attempt; after the last one there is none. About a day in all. */
export const RETRY_SECONDS: readonly number[] = [5, 300, 1800, 7200, 18_000, 28_800, 28_800]

/** What is made longer or shorter at random, so that what failed together does not come again together. */
const JITTER = 0.1
/** However long a receiver asks to be left alone. */
const MAX_RETRY_AFTER_SECONDS = 28_800

/**
 * Seconds until the next attempt after `tries` failed ones; undefined: that was the last. A receiver that
 * asks for more time, by `Retry-After`, gets it, and never less than the schedule has.
 */
export function retryDelay(
  schedule: readonly number[],
  tries: number,
  retryAfter: number | undefined,
): number | undefined {
  const scheduled = schedule[tries - 1]
  if (scheduled === undefined) return undefined
  const asked = Math.min(retryAfter ?? 0, MAX_RETRY_AFTER_SECONDS)
  return Math.max(scheduled * (1 - JITTER + 2 * JITTER * Math.random()), asked)
}

/** The seconds that a `Retry-After` asks for, as seconds or as a date (RFC 9110, section 10.2.3). */
export function retryAfterSeconds(header: string | undefined, now: number): number | undefined {
  const text = header?.trim() ?? ''
  if (/^\d{1,9}$/.test(text)) return Number(text)
  const date = /^\w{3},/.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(date) ? undefined : Math.max(0, (date - now) / 1000)
}
