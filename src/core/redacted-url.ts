/** The driver of PostgreSQL takes `?password=` too, and upstreams their keys. */
const SECRET_PARAMETER = /pass|secret|token|key|auth|sig/i

/** Hides the values of query parameters that are secrets by their name. */
export function hideSecretParameters({ searchParams }: URL): void {
  for (const name of new Set(searchParams.keys())) {
    if (SECRET_PARAMETER.test(name)) searchParams.set(name, '***')
  }
}

/** A URL as people may see it: without credentials. */
export function withoutCredentials(url: string): string {
  const parsed = new URL(url)
  parsed.username = ''
  parsed.password = ''
  hideSecretParameters(parsed)
  return parsed.href
}
