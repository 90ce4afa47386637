/** Matches the names of query parameters that hold a credential, such as `?password=` of PostgreSQL or `?api_key=`. */
export const SECRET_PARAMETER = /auth|token|secret|key|pass|sig|credential/i

/** Replaces the values of secret query parameters by `***`. */
export function hideSecretParameters({ searchParams }: URL): void {
  for (const name of new Set(searchParams.keys())) {
    if (SECRET_PARAMETER.test(name)) searchParams.set(name, '***')
  }
}

/** Returns the URL without a user name, password or secret parameters, so that it can be shown. */
export function withoutCredentials(url: string): string {
  const parsed = new URL(url)
  parsed.username = ''
  parsed.password = ''
  hideSecretParameters(parsed)
  return parsed.href
}
