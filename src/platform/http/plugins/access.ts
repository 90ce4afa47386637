import type {} from '@fastify/websocket'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { type Actor, anonymous, operator, type UserActor } from '../../../core/actor.ts'
import { bearerToken, TOKEN_NEEDED, unauthenticated } from '../../../core/authorization.ts'
import { DomainError } from '../../../core/errors.ts'
import { type Config, isLoopback } from '../../config/config.ts'
import type { RouteConfigOf } from './methods.ts'

/**
 * The callers that a route allows while access is `required`. While access is `open`, every route may be called without a token.
 * - `token`: a request with a valid bearer token.
 * - `public`: anyone. A token that is sent is ignored, for instance an expired one to /auth/refresh.
 * - `ticket`: a WebSocket handshake without a token; the client authenticates by a one-time ticket in the URL or by
 *   its first message. A request that is no handshake needs a token.
 * - `feed`: a request with a bearer token or with a feed's secret in the URL, which the route checks.
 */
type RouteAccess = 'token' | 'public' | 'ticket' | 'feed'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Default: `token`. */
    access?: RouteAccess
    /** false: the rate limit does not count requests to the route. Default: true. */
    isRateLimited?: boolean
  }
  interface FastifyRequest {
    /** The caller. Set before all other hooks and handlers, except those of the server itself. */
    actor: Actor
    /** Why the request is rejected. Thrown after the request was counted, so that guesses are rate-limited too. */
    refusal: Error | undefined
    /** Authenticates again after a slow body: the credential or the role may have been revoked meanwhile. */
    confirmActor(): Promise<void>
  }
}

type AccessConfig = Pick<Config, 'access' | 'ALLOWED_HOSTS' | 'CORS_ORIGINS'>

/** Finds the user that a token belongs to. */
export interface Authenticator {
  /** Returns the user of a token that was verified recently; undefined: call `authenticate`. */
  known(token: string): UserActor | undefined
  /** Returns undefined if the token is invalid, expired or revoked. */
  authenticate(token: string): Promise<UserActor | undefined>
}

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS'])

/** Sets the actor of each request. An invalid token answers 401; the request never falls back to anonymous. */
export function registerAccess(
  app: FastifyInstance,
  config: AccessConfig,
  { known, authenticate }: Authenticator,
  configOf: RouteConfigOf,
): void {
  /** `feed` and `ticket` count only for the kind of request that they are made for. */
  const accessOf = (request: FastifyRequest): RouteAccess => {
    if (request.method === 'OPTIONS') return 'public'
    const { access = 'token' } = configOf(request)
    const isUsable = access === 'ticket' ? request.ws : access === 'feed' ? !request.ws : true
    return isUsable ? access : 'token'
  }

  const hosts = new Set(config.ALLOWED_HOSTS.map((host) => host.toLowerCase()))
  const origins = new Set(config.CORS_ORIGINS)
  const withoutToken = config.access === 'open' ? operator : anonymous
  app.decorateRequest('actor')
  app.decorateRequest('refusal', undefined)
  app.addHook('onRequest', (request, _reply, done) => {
    if (config.access === 'open') {
      const forbidden = browserRefusal(request, hosts, origins)
      if (forbidden) return done(forbidden)
    }
    const { authorization } = request.headers
    const access = accessOf(request)
    if (authorization === undefined || access === 'public') {
      request.actor = withoutToken
      if (config.access === 'required' && access === 'token') {
        request.refusal = unauthenticated(TOKEN_NEEDED)
      }
      return done()
    }
    request.actor = anonymous
    const token = bearerToken(authorization)
    if (token === undefined) {
      request.refusal = unauthenticated('The Authorization header must be "Bearer <token>".')
      return done()
    }
    const actor = known(token)
    if (actor) {
      request.actor = actor
      return done()
    }
    authenticate(token).then((found) => {
      if (found) request.actor = found
      else request.refusal = unauthenticated('The token is invalid, expired or revoked.')
      done()
    }, done)
  })
  app.decorateRequest('confirmActor', async function (this: FastifyRequest) {
    if (this.actor.kind !== 'user') return
    const token = bearerToken(this.headers.authorization)!
    if (known(token) === this.actor) return
    const found = await authenticate(token)
    if (!found) throw unauthenticated('The token has expired or was revoked.')
    this.actor = found
  })
  app.addHook('preHandler', (request, _reply, done) => {
    if (request.actor.kind !== 'user' || request.body === undefined) return done()
    request.confirmActor().then(() => done(), done)
  })
}

/** Throws the refusals that `registerAccess` found. Register it after the rate limit. */
export function registerRefusals(app: FastifyInstance): void {
  app.addHook('onRequest', ({ refusal }, _reply, done) => done(refusal))
}

/**
 * While access is open, every caller is the operator. A web page must then not be able to act through its visitor's
 * browser: neither under a host name of its own that resolves to this server (DNS rebinding), nor across sites.
 */
function browserRefusal(
  request: FastifyRequest,
  hosts: Set<string>,
  origins: Set<string>,
): DomainError | undefined {
  const host = request.headers.host ?? ''
  const name = host.replace(/:\d+$/, '').toLowerCase()
  if (!isLoopback(name) && !hosts.has(name)) {
    return new DomainError('forbidden', `Host "${name}" is not allowed. Add it to ALLOWED_HOSTS.`)
  }
  const { origin } = request.headers
  if (origin === undefined || (safeMethods.has(request.method) && !request.ws)) return undefined
  if (origins.has(origin) || sameHost(origin, host)) return undefined
  return new DomainError('forbidden', `Origin "${origin}" is not allowed to write. Add it to CORS_ORIGINS.`)
}

// The scheme is not compared: a proxy may terminate TLS.
function sameHost(origin: string, host: string): boolean {
  return URL.canParse(origin) && new URL(origin).host === host.toLowerCase()
}
