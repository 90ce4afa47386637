import { type Finding, failure, ok, warning } from './finding.ts'

/** Before this was written no clock can stand. */
const EARLIEST = Date.UTC(2025, 11, 1)
/** Difference of clocks that is reported: events, leases and tokens are compared by seconds. */
const NOTICED_MS = 2_000
/** Tokens of one process are not valid yet, or no longer, to another. */
const HARMFUL_MS = 60_000

/** Whether the clock of this machine can be right, and goes with that of the database, if there is another. */
export function checkClock(now: number, databaseAheadMs = 0): Finding {
  const advice = 'let the clocks be set by NTP (timedatectl, chrony)'
  const shown = new Date(now).toISOString()
  if (now < EARLIEST) return failure('clock', `the clock of this machine stands at ${shown}`, advice)
  const apart = Math.abs(databaseAheadMs)
  if (apart < NOTICED_MS) return ok('clock', `it is ${shown}`)
  const seconds = Math.round(apart / 1000)
  const message = `the clock of the database is ${seconds} s ${databaseAheadMs > 0 ? 'ahead of' : 'behind'} this machine's`
  return apart < HARMFUL_MS ? warning('clock', message, advice) : failure('clock', message, advice)
}
