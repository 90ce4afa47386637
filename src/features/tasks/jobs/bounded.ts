const MAX_RESULT_BYTES = 16 * 1024
const MAX_ERROR_CHARACTERS = 2000

/** Text that PostgreSQL's jsonb takes: without NUL and half surrogate pairs. */
function storable(text: string): string {
  return text.replaceAll('\0', '').toWellFormed()
}

/** False for JSON that has text in it that jsonb does not take. */
export function isStorable(value: unknown): boolean {
  if (typeof value === 'string') return !value.includes('\0') && value.isWellFormed()
  if (typeof value !== 'object' || value === null) return true
  return Object.entries(value).every(([key, item]) => isStorable(key) && isStorable(item))
}

/** A result as JSON text of at most 16 KiB; one that is longer is cut, as text, and says so. */
export function boundedResult(result: unknown): string {
  const json = JSON.stringify(result ?? null, (_key, value) =>
    typeof value === 'string' ? storable(value) : value,
  )
  if (Buffer.byteLength(json) <= MAX_RESULT_BYTES) return json
  return JSON.stringify({ truncated: true, text: fitting(json, MAX_RESULT_BYTES - 100) })
}

/** An error's text for people, of at most 2,000 characters. */
export function boundedError(text: string): string {
  const error = storable(text)
  return error.length <= MAX_ERROR_CHARACTERS
    ? error
    : `${error.slice(0, MAX_ERROR_CHARACTERS - 1).toWellFormed()}…`
}

/** Returns the longest prefix of a text that takes at most `maxBytes` bytes as a JSON string. */
export function fitting(text: string, maxBytes: number): string {
  let [least, most] = [0, Math.min(text.length, maxBytes)]
  if (text.length > most || jsonBytes(text) > maxBytes) {
    while (least < most) {
      const middle = Math.ceil((least + most) / 2)
      if (jsonBytes(text.slice(0, middle)) <= maxBytes) least = middle
      else most = middle - 1
    }
    // Not half of a character.
    const start = text.slice(0, least)
    return start.isWellFormed() ? start : start.slice(0, -1)
  }
  return text
}

function jsonBytes(text: string): number {
  return Buffer.byteLength(JSON.stringify(text))
}
