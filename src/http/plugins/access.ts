import type {} from '@fastify/websocket'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { type Config, isLoopback } from '../../config/config.ts'
import { DomainError } from '../../core/errors.ts'

type AccessConfig = Pick<Config, 'access' | 'ALLOWED_HOSTS' | 'CORS_ORIGINS'>

/** Served without a token whatever the mode; see the access modes of the API. */
const open = /^\/(health(\/ready)?|docs(\/.*)?|swagger(\/.*)?|redoc(\/.*)?|openapi\.json)?\/?$/
const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS'])

/**
 * Who may call. There are no users yet, so a token cannot be valid: where one is needed, or given,
 * the answer is 401, never a fall back to anonymous.
 */
export function registerAccess(app: FastifyInstance, config: AccessConfig): void {
  const hosts = new Set(config.ALLOWED_HOSTS.map((host) => host.toLowerCase()))
  const origins = new Set(config.CORS_ORIGINS)
  app.addHook('onRequest', (request, _reply, done) => {
    try {
      if (config.access === 'open') guardBrowsers(request, hosts, origins)
      if (config.access === 'required' || request.headers.authorization !== undefined) authenticate(request)
      done()
    } catch (error) {
      done(error as Error)
    }
  })
}

function authenticate(request: FastifyRequest): void {
  if (request.method === 'OPTIONS' || open.test(request.url.split('?', 1)[0]!)) return
  const detail =
    request.headers.authorization === undefined ? 'A token is needed.' : 'The token is not valid.'
  throw new DomainError('unauthenticated', detail, { headers: { 'www-authenticate': 'Bearer' } })
}

/**
 * While everybody is the operator, a web page must not be able to act through the visitor's
 * browser: neither under a host name of its own that it points here (DNS rebinding), nor across sites.
 */
function guardBrowsers(request: FastifyRequest, hosts: Set<string>, origins: Set<string>): void {
  const host = request.headers.host ?? ''
  const name = host.replace(/:\d+$/, '').toLowerCase()
  if (!isLoopback(name) && !hosts.has(name)) {
    throw new DomainError('forbidden', `Host "${name}" is not served here; ALLOWED_HOSTS can list it.`)
  }
  const { origin } = request.headers
  if (origin === undefined || (safeMethods.has(request.method) && !request.ws)) return
  if (origins.has(origin) || sameHost(origin, host)) return
  throw new DomainError('forbidden', `Origin "${origin}" may not write here; CORS_ORIGINS can list it.`)
}

// The scheme is not compared: a proxy may speak TLS for us.
function sameHost(origin: string, host: string): boolean {
  return URL.canParse(origin) && new URL(origin).host === host.toLowerCase()
}
