const DIGITS = '0123456789abcdefghijklmnopqrstuvwxyz'

/**
 * Returns a key between two keys, in the order of their bytes. Keys are fractions in base 36; `i` is one half. Neither
 * may end in `0`, nor does the result, so that a smaller key exists before every key. Keys grow
 * by a digit for about five halvings of one gap. The method is that of David Greenspan, "Implementing
 * Fractional Indexing".
 */
export function keyBetween(low: string, high: string): string {
  if (low >= high || low.endsWith('0') || high.endsWith('0')) {
    throw new RangeError(`there is no key between "${low}" and "${high}"`)
  }
  return between(low, high)
}

// `high` undefined is 1.
function between(low: string, high: string | undefined): string {
  let common = 0
  while (high !== undefined && (low[common] ?? '0') === high[common]) common++
  if (common > 0) return high!.slice(0, common) + between(low.slice(common), high!.slice(common))
  const lowDigit = DIGITS.indexOf(low[0] ?? '0')
  const highDigit = high === undefined ? DIGITS.length : DIGITS.indexOf(high[0]!)
  if (highDigit - lowDigit > 1) return DIGITS[(lowDigit + highDigit) >> 1]!
  if (high !== undefined && high.length > 1) return high[0]!
  return DIGITS[lowDigit]! + between(low.slice(1), undefined)
}

/** The place of the task of an id as it was given out before there were places; `task_place` in SQL. */
export function firstPosition(id: number): string {
  return `${(2 ** 31 + id).toString(16).padStart(8, '0')}i`
}
