import { randomBytes } from 'node:crypto'
import cors, { type FastifyCorsOptionsDelegateCallback } from '@fastify/cors'
import type { JsonSchemaToTsProvider } from '@fastify/type-provider-json-schema-to-ts'
import websocket from '@fastify/websocket'
import { fastify } from 'fastify'
import { DomainError } from '../../core/errors.ts'
import type { Config } from '../config/config.ts'
import type { Logger } from '../logging/logger.ts'
import type { Metrics } from '../metrics/index.ts'
import type { RateLimiter } from '../rate-limit/index.ts'
import { errorHandler, PROBLEM_JSON, toProblem } from './error-handler.ts'
import { parseJsonBodies } from './json-body.ts'
import { registerDocs, registerOpenApi, type SentWebhooks } from './openapi.ts'
import { type Authenticator, registerAccess, registerRefusals } from './plugins/access.ts'
import { registerMethods } from './plugins/methods.ts'
import { registerHttpMetrics } from './plugins/metrics.ts'
import { registerRateLimit } from './plugins/rate-limit.ts'
import { registerSecurityHeaders, setSecurityHeaders } from './plugins/security-headers.ts'
import { type SchemaRegistry, validatorCompiler } from './validation.ts'

const BODY_LIMIT = 1024 * 1024
const MAX_INBOUND_MESSAGE = 64 * 1024
/** Time limit of a whole request: 25 MiB arrive in time at 0.7 Mbit/s. An idle connection is closed earlier. */
const REQUEST_TIMEOUT_MS = 300_000
/** Time that a connection may transfer no byte. A response that nobody reads would keep its memory otherwise. */
const STALL_MS = 120_000
const CORS_METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']
const CORS_REQUEST_HEADERS = [
  'authorization',
  'content-digest',
  'content-type',
  'idempotency-key',
  'if-match',
  'if-none-match',
  'if-range',
  'last-event-id',
  'range',
  'x-request-id',
]
const CORS_EXPOSED_HEADERS = [
  'accept-ranges',
  'content-disposition',
  'content-range',
  'etag',
  'idempotency-replayed',
  'link',
  'location',
  'ratelimit',
  'ratelimit-policy',
  'repr-digest',
  'retry-after',
  'x-request-id',
  'x-total-count',
  'x-total-count-exact',
]

export type HttpServer = Awaited<ReturnType<typeof createHttpServer>>['app']

/** Creates the HTTP server with everything that all routes share. `registerRoutes` adds the routes of the features. */
export async function createHttpServer(options: {
  config: Config
  log: Logger
  schemaRegistry: SchemaRegistry
  authenticator: Authenticator
  /** undefined: no rate limit. */
  limiter: RateLimiter | undefined
  metrics: Metrics
  /** Closes the WebSockets when the server closes. */
  closeSockets: () => Promise<void>
  registerRoutes: (app: ReturnType<typeof bareServer>) => void
  /** The webhook messages that the server sends, for the documentation. */
  sentWebhooks: SentWebhooks
}) {
  const { config, log, schemaRegistry, authenticator, limiter, metrics, closeSockets, registerRoutes } =
    options
  const app = bareServer(log, config.TRUST_PROXY)
  app.setValidatorCompiler(validatorCompiler(schemaRegistry))
  // Our presenters build the responses; response schemas are documentation. For a list of 100 rows,
  // JSON.stringify is also faster than a serializer made from a schema.
  app.setSerializerCompiler(() => (data) => JSON.stringify(data))
  app.setErrorHandler(errorHandler(log))
  registerHttpMetrics(app, metrics)
  parseJsonBodies(app)
  registerSecurityHeaders(app)

  // Credentials mode is off: pages send a token, and there are no cookies.
  const sharing = {
    origin: config.CORS_ORIGINS,
    methods: CORS_METHODS,
    allowedHeaders: CORS_REQUEST_HEADERS,
    exposedHeaders: CORS_EXPOSED_HEADERS,
    maxAge: 600,
  }
  const delegator: FastifyCorsOptionsDelegateCallback = ({ method, headers }, done) => {
    // An OPTIONS request that is not a preflight asks for the supported methods.
    const preflight =
      method === 'OPTIONS' && 'access-control-request-method' in headers && 'origin' in headers
    done(null, { ...sharing, preflight })
  }
  if (config.CORS_ORIGINS.length > 0) await app.register(cors, { delegator })
  await app.register(websocket, {
    options: { maxPayload: MAX_INBOUND_MESSAGE, perMessageDeflate: false },
    preClose: (done) => void closeSockets().finally(done),
  })
  app.websocketServer.on('wsClientError', (_error, socket) => {
    const answer = rawProblem(
      400,
      'This is not a valid WebSocket handshake (RFC 6455).',
      'sec-websocket-version: 13\r\n',
    )
    // Node no longer tracks this socket, so it is destroyed here.
    socket.once('finish', () => socket.destroy()).end(answer)
  })
  // Expectations other than 100-continue may be ignored (RFC 9110, section 10.1.1).
  app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response))
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id)
    const lacksHost = request.headers.host === undefined && request.raw.httpVersion === '1.1'
    done(lacksHost ? new DomainError('bad-request', 'The Host header is missing.') : undefined)
  })
  const { routes, configOf, answerUnmatched } = registerMethods(app)
  registerAccess(app, config, authenticator, configOf)
  registerRateLimit(app, { limiter, configOf })
  registerRefusals(app)
  // @fastify/websocket would accept the handshake on any route and close the socket at once.
  app.addHook('onRequest', (request, _reply, done) => {
    const isLost = request.ws && !request.is404 && configOf(request).access !== 'ticket'
    done(isLost ? new DomainError('bad-request', 'This URL does not accept WebSockets.') : undefined)
  })
  await registerOpenApi(app, options.sentWebhooks)
  registerRoutes(app)
  await registerDocs(app, answerUnmatched)
  app.get('/', { config: { access: 'public' }, schema: { hide: true } }, async (_request, reply) =>
    reply.redirect('/docs'),
  )
  return { app, routes }
}

/** Creates a server without hooks, parsers and routes. It trusts X-Forwarded-* of `trustedProxies` (addresses or networks). */
export function bareServer(log: Logger, trustedProxies: string[], stallMs = STALL_MS) {
  return fastify({
    logger: false,
    trustProxy: trustedProxies.length > 0 && trustedProxies,
    bodyLimit: BODY_LIMIT,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionTimeout: stallMs,
    // Requests on open connections are answered until the last one is closed.
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    http: {
      // Node's own response would not be problem details.
      requireHostHeader: false,
      // Other upgrades are ignored (RFC 9110, section 7.8): `curl --http2` offers h2c.
      shouldUpgradeCallback: ({ headers }) => headers.upgrade?.toLowerCase() === 'websocket',
    },
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 200 },
    genReqId: requestIds(),
    requestIdHeader: false,
    frameworkErrors: (error, request, reply) => {
      setSecurityHeaders(request, reply)
      errorHandler(log)(error, request, reply)
    },
    clientErrorHandler: (error, socket) => {
      if (error.code === 'ECONNRESET' || socket.destroyed) return
      const status =
        error.code === 'HPE_HEADER_OVERFLOW' ? 431 : error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400
      socket.end(rawProblem(status, 'This is not a valid HTTP request.'))
    },
  }).withTypeProvider<JsonSchemaToTsProvider>()
}

/** Returns the bytes of an error response, for sockets without a Fastify reply. */
function rawProblem(statusCode: number, detail: string, headers = ''): string {
  const body = JSON.stringify(toProblem(Object.assign(new Error(detail), { statusCode }), '/'))
  return `HTTP/1.1 ${statusCode} Error\r\n${headers}connection: close\r\ncontent-type: ${PROBLEM_JSON}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
}

/** Keeps a caller's X-Request-Id if it is short and plain; otherwise numbers requests after a random prefix. */
function requestIds(): (raw: { headers: Record<string, unknown> }) => string {
  const prefix = randomBytes(4).toString('hex')
  let count = 0
  return ({ headers }) => {
    const given = headers['x-request-id']
    if (typeof given === 'string' && /^[\w.:-]{1,64}$/.test(given)) return given
    return `${prefix}-${(++count).toString(36)}`
  }
}
