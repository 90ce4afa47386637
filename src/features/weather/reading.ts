/** The member of a JSON object; undefined where there is none. */
export function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)[name]
    : undefined
}

/** The number at a path of member names; throws where there is none within the bounds. */
export function numberAt(value: unknown, path: string, min: number, max: number): number {
  const found = path.split('.').reduce(member, value)
  if (typeof found !== 'number' || !(found >= min && found <= max))
    throw new Error(`the answer has no valid "${path}"`)
  return found
}

/** The time at a path, in seconds since 1970, as ISO 8601 text with microseconds. */
export function timeAt(value: unknown, path: string): string {
  // Until the year 9999: no answer is to become a date that cannot be written.
  const seconds = Math.trunc(numberAt(value, path, 0, 253_402_300_799))
  return new Date(seconds * 1000).toISOString().replace('Z', '000Z')
}

/** What no thermometer, hygrometer or anemometer has ever shown is a mistake. */
export const PLAUSIBLE = {
  temperature: [-100, 70],
  humidity: [0, 100],
  windSpeed: [0, 150],
} as const
