const BASE_MS = 2_000
const CAP_MS = 600_000

/**
 * How long to wait before another attempt, in milliseconds: exponential, from 2 s to 10 min, of which the
 * second half is left to chance, so that what failed together does not come back together.
 */
export function backoffMs(attempt: number, random: () => number = Math.random): number {
  const most = Math.min(CAP_MS, BASE_MS * 2 ** Math.min(attempt - 1, 30))
  return Math.round(most * (0.5 + random() / 2))
}
