import { validationError } from '../../core/errors.ts'
import { utcInstant } from '../../core/moment.ts'

/** From the one instant to the other, both included; undefined: without an end on that side. */
export interface Period {
  from: string | undefined
  to: string | undefined
}

/**
 * The period that two moments of a query bound, of the parameters `<prefix>from` and `<prefix>to`; a
 * day as its end is part of it. Throws when it ends before it begins.
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
