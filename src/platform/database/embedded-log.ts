import { copyFileSync, existsSync, readFileSync, statSync, truncateSync } from 'node:fs'

const limit = 5_000_000

/** Size of the log now: `logSince` returns what was appended after it. */
export function logSize(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0
}

export function logSince(file: string, offset: number): string {
  return existsSync(file) ? readFileSync(file).subarray(offset).toString('utf8') : ''
}

/**
 * Keeps the log and one predecessor (`<file>.1`) at about 5 MB each. Cut in place, because PostgreSQL appends to
 * the open file; its own collector would be one more process and bounds a size only by the clock.
 */
export function trimLog(file: string): void {
  if (logSize(file) <= limit) return
  copyFileSync(file, `${file}.1`)
  truncateSync(file)
}
