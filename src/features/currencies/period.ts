import { type FieldError, validationError } from '../../core/errors.ts'
import type { Period } from './rate-store.ts'

/** The period that two moments bound; a day as its end is part of it. Throws when it ends before it begins. */
export function periodOf({ from, to }: { from?: string; to?: string }): Period {
  const period = {
    from: from?.length === 10 ? `${from}T00:00:00Z` : from,
    to: to?.length === 10 ? `${to}T23:59:59.999999Z` : to,
  }
  if (period.from && period.to && Date.parse(period.from) > Date.parse(period.to)) {
    const error: FieldError = { path: 'query.to', message: 'is before `from`' }
    throw validationError([error])
  }
  return period
}
