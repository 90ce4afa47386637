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
/** For a whole request: a file of 25 MiB comes in time at 0.7 Mbit/s. Who sends nothing is cut off before. */
const REQUEST_TIMEOUT_MS = 300_000
/** For so long a connection may neither take nor send a byte: an answer nobody reads would keep its memory. */
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

/** The HTTP server with everything that concerns all routes; `registerRoutes` adds the features' own. */
export async function createHttpServer(options: {
  config: Config
  log: Logger
  schemaRegistry: SchemaRegistry
  authenticator: Authenticator
  /** undefined: nothing is limited. */
  limiter: RateLimiter | undefined
  metrics: Metrics
  /** Ends the WebSockets when the server closes. */
  closeSockets: () => Promise<void>
  registerRoutes: (app: ReturnType<typeof bareServer>) => void
  /** What is sent to the webhooks of others, for the documentation. */
  sentWebhooks: SentWebhooks
}) {
  const { config, log, schemaRegistry, authenticator, limiter, metrics, closeSockets, registerRoutes } =
    options
  const app = bareServer(log, config.TRUST_PROXY)
  app.setValidatorCompiler(validatorCompiler(schemaRegistry))
  // Answers are built by our own presenters; schemas of answers are documentation. For a list of 100
  // rows JSON.stringify is also the faster of the two.
  app.setSerializerCompiler(() => (data) => JSON.stringify(data))
  app.setErrorHandler(errorHandler(log))
  registerHttpMetrics(app, metrics)
  parseJsonBodies(app)
  registerSecurityHeaders(app)

  // Without credentials mode: a token is sent by the page itself, there are no cookies.
  const sharing = {
    origin: config.CORS_ORIGINS,
    methods: CORS_METHODS,
    allowedHeaders: CORS_REQUEST_HEADERS,
    exposedHeaders: CORS_EXPOSED_HEADERS,
    maxAge: 600,
  }
  const delegator: FastifyCorsOptionsDelegateCallback = ({ method, headers }, done) => {
    // An OPTIONS that is no preflight asks what the path takes.
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
      'This is no handshake of a WebSocket (RFC 6455).',
      'sec-websocket-version: 13\r\n',
    )
    // Nobody else looks after it any more: who does not hang up would stay.
    socket.once('finish', () => socket.destroy()).end(answer)
  })
  // What is expected beyond 100-continue may be left unfulfilled (RFC 9110, section 10.1.1).
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

/** Without hooks, parsers and routes; of `trustedProxies`, addresses or networks, X-Forwarded-* is believed. */
export function bareServer(log: Logger, trustedProxies: string[], stallMs = STALL_MS) {
  return fastify({
    logger: false,
    trustProxy: trustedProxies.length > 0 && trustedProxies,
    bodyLimit: BODY_LIMIT,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionTimeout: stallMs,
    // Until the last connection is closed, what comes on it is still answered.
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    http: {
      // Node's own answer would not be problem details.
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
      socket.end(rawProblem(status, 'This is not HTTP.'))
    },
  }).withTypeProvider<JsonSchemaToTsProvider>()
}

/** An answer where there is no reply to write it to. */
function rawProblem(statusCode: number, detail: string, headers = ''): string {
  const body = JSON.stringify(toProblem(Object.assign(new Error(detail), { statusCode }), '/'))
  return `HTTP/1.1 ${statusCode} Error\r\n${headers}connection: close\r\ncontent-type: ${PROBLEM_JSON}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
}

/** A caller's own X-Request-Id is kept if it is harmless; else ids count up after a random prefix. */
function requestIds(): (raw: { headers: Record<string, unknown> }) => string {
  const prefix = randomBytes(4).toString('hex')
  let count = 0
  return ({ headers }) => {
    const given = headers['x-request-id']
    if (typeof given === 'string' && /^[\w.:-]{1,64}$/.test(given)) return given
    return `${prefix}-${(++count).toString(36)}`
  }
}
