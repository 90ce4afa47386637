/** Seconds to wait after each failed attempt, about a day in total. The attempt after the last wait is the last. */
export const RETRY_SECONDS: readonly number[] = [5, 300, 1800, 7200, 18_000, 28_800, 28_800]

/** Jitter: each wait is up to 10 % longer or shorter, so that deliveries that failed together spread out. */
const JITTER = 0.1
/** Upper bound for `Retry-After`. */
const MAX_RETRY_AFTER_SECONDS = 28_800

/**
 * Returns the seconds until the next attempt after `tries` failed attempts; undefined after the last one. A larger
 * `Retry-After` extends the wait; a smaller one does not shorten it.
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

/** Parses a `Retry-After` header, seconds or a date, into seconds from `now` (RFC 9110, section 10.2.3). */
export function retryAfterSeconds(header: string | undefined, now: number): number | undefined {
  const text = header?.trim() ?? ''
  if (/^\d{1,9}$/.test(text)) return Number(text)
  const date = /^\w{3},/.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(date) ? undefined : Math.max(0, (date - now) / 1000)
}
