/** Returns the member of a JSON object; undefined if there is none. */
export function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)[name]
    : undefined
}

/** Returns the number at a path of member names. Throws if there is none within the bounds. */
export function numberAt(value: unknown, path: string, min: number, max: number): number {
  const found = path.split('.').reduce(member, value)
  if (typeof found !== 'number' || !(found >= min && found <= max))
    throw new Error(`the answer has no valid "${path}"`)
  return found
}

/** Returns the time at a path as ISO 8601 text with microseconds. It is given in seconds since 1970 or as ISO 8601 text in UTC. */
export function timeAt(value: unknown, path: string): string {
  const found = path.split('.').reduce(member, value)
  const isText = typeof found === 'string' && UTC_TEXT.test(found)
  const seconds = isText ? Date.parse(`${found.replace(/Z$/, '')}Z`) / 1000 : found
  if (typeof seconds !== 'number' || !(seconds >= 0 && seconds <= LATEST_SECONDS))
    throw new Error(`the answer has no valid "${path}"`)
  return new Date(Math.trunc(seconds) * 1000).toISOString().replace('Z', '000Z')
}

const UTC_TEXT = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?Z?$/
/** The end of the year 9999, the latest date that ISO 8601 text can hold. */
const LATEST_SECONDS = 253_402_300_799

/** Bounds of plausible values: readings beyond them have never been measured. */
export const PLAUSIBLE = {
  temperature: [-100, 70],
  humidity: [0, 100],
  windSpeed: [0, 150],
} as const
