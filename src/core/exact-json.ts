// Source text of JSON numbers (ECMAScript proposal, in V8 since Node 22; the library of TypeScript lacks it).
interface ExactJson {
  rawJSON(text: string): ExactNumber
  isRawJSON(value: unknown): value is ExactNumber
  parse(
    text: string,
    reviver: (key: string, value: unknown, context: { source?: string }) => unknown,
  ): unknown
}
const exact = JSON as unknown as ExactJson

/** A number that `JSON.stringify` writes with these very digits, also those that a double does not have. */
export interface ExactNumber {
  readonly rawJSON: string
}

/** `text` is a number as JSON writes them, such as PostgreSQL's text of a `numeric`. */
export function exactNumber(text: string): ExactNumber {
  return exact.rawJSON(text)
}

/**
 * The value of a JSON text, in which numbers that a double would change are `ExactNumber`s: what is
 * parsed and written again has the same numbers. Throws what `JSON.parse` throws.
 */
export function parseExactly(text: string): unknown {
  return exact.parse(text, (_key, value, { source }) =>
    typeof value === 'number' && source !== undefined && String(value) !== source
      ? exact.rawJSON(source)
      : value,
  )
}

/** The digits of a number that `parseExactly` returned, as they were written; undefined for what is none. */
export function numberText(value: unknown): string | undefined {
  if (exact.isRawJSON(value)) return value.rawJSON
  return typeof value === 'number' ? String(value) : undefined
}
