import { validationError } from '../../core/errors.ts'
import { utcInstant } from '../../core/moment.ts'

/** A period between two instants, both included; undefined: unbounded on that side. */
export interface Period {
  from: string | undefined
  to: string | undefined
}

/**
 * Returns the period between the query parameters `<prefix>from` and `<prefix>to`. A day given as its end is
 * included. Throws if the period ends before it begins.
 */
export function periodOf({ from, to }: { from?: string; to?: string }, prefix = ''): Period {
  const period = {
    from: from && utcInstant(from.length === 10 ? `${from}T00:00:00Z` : from),
    to: to && utcInstant(to.length === 10 ? `${to}T23:59:59.999999Z` : to),
  }
  if (period.from && period.to && period.from > period.to) {
    throw validationError([{ path: `query.${prefix}to`, message: `is before \`${prefix}from\`` }])
  }
  return period
}
