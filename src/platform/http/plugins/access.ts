import type {} from '@fastify/websocket'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { type Actor, anonymous, operator, type UserActor } from '../../../core/actor.ts'
import { bearerToken, TOKEN_NEEDED, unauthenticated } from '../../../core/authorization.ts'
import { DomainError } from '../../../core/errors.ts'
import { type Config, isLoopback } from '../../config/config.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Who calls; set before every other hook and handler that is not of the server itself. */
    actor: Actor
    /** Why they may not; it is thrown after their request was counted, so that guesses are limited too. */
    refusal: Error | undefined
    /** Looks again who calls, after a body came slowly: whoever lost their credential or their role has lost it. */
    confirmActor(): Promise<void>
  }
}

type AccessConfig = Pick<Config, 'access' | 'ALLOWED_HOSTS' | 'CORS_ORIGINS'>

/** Finds out whose a token is. */
export interface Authenticator {
  /** The user of a token that was checked lately; undefined: ask `authenticate`. */
  known(token: string): UserActor | undefined
  /** undefined when the token is not, or no longer, valid. */
  authenticate(token: string): Promise<UserActor | undefined>
}

/** Served without a token whatever the mode; see the access modes of the API. */
const open =
  /^\/(health(\/ready)?|docs(\/.*)?|swagger(\/.*)?|redoc(\/.*)?|openapi\.json|auth\/(register|login|refresh|setup))?\/?$/

/** Who opens a socket there may say who they are later, in the first message. */
const sockets = /^\/ws(\/(tasks|currencies))?\/?$/

/** Whose address may have a credential in it, which the route looks at. */
const feeds = /^\/tasks\.ics\/?$/

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS'])

/** Finds out for each request who calls. A token that is not valid is 401, never a fall back to anonymous. */
export function registerAccess(
  app: FastifyInstance,
  config: AccessConfig,
  { known, authenticate }: Authenticator,
): void {
  const hosts = new Set(config.ALLOWED_HOSTS.map((host) => host.toLowerCase()))
  const origins = new Set(config.CORS_ORIGINS)
  const withoutToken = config.access === 'open' ? operator : anonymous
  app.decorateRequest('actor', undefined as never)
  app.decorateRequest('refusal', undefined)
  app.addHook('onRequest', (request, _reply, done) => {
    if (config.access === 'open') {
      const forbidden = browserRefusal(request, hosts, origins)
      if (forbidden) return done(forbidden)
    }
    const { authorization } = request.headers
    if (authorization === undefined || isOpen(request)) {
      request.actor = withoutToken
      if (config.access === 'required' && !isSocket(request) && !isFeed(request) && !isOpen(request)) {
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
      else request.refusal = unauthenticated('The token is not valid, or no longer.')
      done()
    }, done)
  })
  app.decorateRequest('confirmActor', async function (this: FastifyRequest) {
    if (this.actor.kind !== 'user') return
    const token = bearerToken(this.headers.authorization)!
    if (known(token) === this.actor) return
    const found = await authenticate(token)
    if (!found) throw unauthenticated('The token is no longer valid.')
    this.actor = found
  })
  app.addHook('preHandler', (request, _reply, done) => {
    if (request.actor.kind !== 'user' || request.body === undefined) return done()
    request.confirmActor().then(() => done(), done)
  })
}

/** Answers with the refusals that `registerAccess` found; register it after what counts requests. */
export function registerRefusals(app: FastifyInstance): void {
  app.addHook('onRequest', ({ refusal }, _reply, done) => done(refusal))
}

// Whatever token is sent along there, such as an expired one to /auth/refresh, is of no importance.
function isOpen({ method, url }: FastifyRequest): boolean {
  return method === 'OPTIONS' || open.test(url.split('?', 1)[0]!)
}

function isFeed({ ws, url }: FastifyRequest): boolean {
  return !ws && feeds.test(url.split('?', 1)[0]!)
}

function isSocket({ ws, url }: FastifyRequest): boolean {
  return ws && sockets.test(url.split('?', 1)[0]!)
}

/**
 * While everybody is the operator, a web page must not be able to act through the visitor's
 * browser: neither under a host name of its own that it points here (DNS rebinding), nor across sites.
 */
function browserRefusal(
  request: FastifyRequest,
  hosts: Set<string>,
  origins: Set<string>,
): DomainError | undefined {
  const host = request.headers.host ?? ''
  const name = host.replace(/:\d+$/, '').toLowerCase()
  if (!isLoopback(name) && !hosts.has(name)) {
    return new DomainError('forbidden', `Host "${name}" is not served here; ALLOWED_HOSTS can list it.`)
  }
  const { origin } = request.headers
  if (origin === undefined || (safeMethods.has(request.method) && !request.ws)) return undefined
  if (origins.has(origin) || sameHost(origin, host)) return undefined
  return new DomainError('forbidden', `Origin "${origin}" may not write here; CORS_ORIGINS can list it.`)
}

// The scheme is not compared: a proxy may speak TLS for us.
function sameHost(origin: string, host: string): boolean {
  return URL.canParse(origin) && new URL(origin).host === host.toLowerCase()
}
