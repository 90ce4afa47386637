/** Returns the strong entity tag of a version (RFC 9110, section 8.8.3). */
export function etag(version: number): string {
  return `"${version}"`
}

/** Returns true if If-None-Match names this tag. The comparison is weak (RFC 9110, section 13.1.2). */
export function matchesAny(header: string | undefined, tag: string): boolean {
  if (header === undefined) return false
  return header.trim() === '*' || header.split(',').some((item) => item.trim().replace(/^W\//, '') === tag)
}

/**
 * Returns the versions that If-Match allows, or undefined if it allows any (absent or `*`). The comparison is
 * strong (RFC 9110, section 13.1.1), so weak and unknown tags match nothing.
 */
export function versionsAllowed(header: string | undefined): number[] | undefined {
  if (header === undefined || header.trim() === '*') return undefined
  return header.split(',').flatMap((item) => {
    const [, digits] = /^"(\d{1,9})"$/.exec(item.trim()) ?? []
    return digits === undefined ? [] : [Number(digits)]
  })
}
