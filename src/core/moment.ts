const MOMENT = /^(\d{4}-\d\d-\d\d)(T\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d))?$/
const FIRST = Date.parse('0001-01-01T00:00:00Z')
const LAST = Date.parse('9999-12-31T23:59:59.999Z')

/**
 * Whether a text is a day (`2025-12-15`) or a time with its zone (`2025-12-15T12:00:00Z`) of the
 * calendar, and in UTC of a year of four digits.
 */
export function isMoment(text: string): boolean {
  const [, day] = MOMENT.exec(text) ?? []
  if (day === undefined) return false
  const milliseconds = Date.parse(text)
  // `Date` takes the 30th of February for a day of March.
  return milliseconds >= FIRST && milliseconds <= LAST && new Date(day).toISOString().startsWith(day)
}

/** Whether a text is a day of the calendar. */
export function isDay(text: string): boolean {
  return text.length === 'YYYY-MM-DD'.length && isMoment(text)
}

/** Whether a text is a moment that is no whole day. */
export function isInstant(text: string): boolean {
  return text.length > 'YYYY-MM-DD'.length && isMoment(text)
}

/** An instant in UTC, to the microsecond, as answers write it; what is none stays as it is. */
export function utcInstant(text: string): string {
  if (!isInstant(text)) return text
  const [, , , , fraction = '.'] = MOMENT.exec(text)!
  // Zones differ by whole minutes, and `Date` holds milliseconds only, so the fraction goes past it.
  return `${new Date(text).toISOString().slice(0, 19)}${fraction.padEnd(7, '0')}Z`
}
