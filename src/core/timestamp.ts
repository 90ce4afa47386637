/**
 * Turns PostgreSQL's text of a `timestamptz` in a UTC session, as a column
 * (`2025-12-15 12:00:31.1684+00`) or inside its JSON (`2025-12-15T12:00:31.1684+00:00`),
 * into ISO 8601 with exactly six decimals and `Z`. No Date is built: it holds milliseconds only.
 */
export function isoTimestamp(text: string): string {
  const zone = text.indexOf('+', 19)
  const end = zone === -1 ? text.length : zone
  const fraction = text.slice(20, end)
  return `${text.slice(0, 10)}T${text.slice(11, 19)}.${fraction.padEnd(6, '0')}Z`
}
