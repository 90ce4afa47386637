import { StartupError } from '../../../core/errors.ts'

const DEFAULT_PORT = 4222

export interface NatsAddress {
  /** `host:port`. */
  servers: string
  user?: string
  pass?: string
  token?: string
  /** Present if the connection must be encrypted. */
  tls?: Record<string, never>
}

/**
 * Parses a URL such as `nats://host`, `nats://user:password@host:4222`, `nats://token@host` or `tls://host`. The
 * NATS client itself ignores credentials in a URL. Throws StartupError if the URL is invalid.
 */
export function natsAddress(url: string): NatsAddress {
  const { protocol, username, password, hostname, port } = new URL(url)
  if (!hostname) throw new StartupError('NATS_URL names no host')
  const user = decoded(username)
  return {
    servers: `${hostname}:${port || DEFAULT_PORT}`,
    ...(user && (password ? { user, pass: decoded(password) } : { token: user })),
    ...(protocol === 'tls:' && { tls: {} }),
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new StartupError('NATS_URL has credentials that are not percent-encoded as they should be')
  }
}
