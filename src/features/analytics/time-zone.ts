/**
 * Returns true if a text names a time zone of the IANA database, in any letter case. Offsets such as +03:00 are not
 * accepted: PostgreSQL reads them with the opposite sign.
 */
export function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z]/.test(name)) return false
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
    return true
  } catch {
    return false
  }
}
