import { type FieldError, validationError } from '../../core/errors.ts'
import type { Period } from './rate-store.ts'

const MOMENT = /^(\d{4}-\d\d-\d\d)(T\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d))?$/

/** Whether a text is a day (`2025-12-15`) or a time with its zone (`2025-12-15T12:00:00Z`) of the calendar. */
export function isMoment(text: string): boolean {
  const [, day] = MOMENT.exec(text) ?? []
  // `Date` takes the 30th of February for a day of March.
  return (
    day !== undefined &&
    day >= '0001-01-01' &&
    !Number.isNaN(Date.parse(text)) &&
    new Date(day).toISOString().startsWith(day)
  )
}

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
