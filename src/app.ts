import type { AddressInfo } from 'node:net'
import { type Config, isLoopback } from './config/config.ts'
import { errorText, StartupError } from './core/errors.ts'
import { type ConnectionOptions, type Database, openDatabase } from './database/database.ts'
import { startEmbeddedPostgres } from './database/embedded.ts'
import { migrate } from './database/migrate.ts'
import { asyncApiDocument } from './events/asyncapi.ts'
import { EventSources } from './events/event-sources.ts'
import { purgeEvents } from './events/outbox.ts'
import { createSignal, type Signal } from './events/signal.ts'
import { Sockets } from './events/sockets.ts'
import { sseRoutes } from './events/sse-routes.ts'
import { EventStream } from './events/stream.ts'
import { registerWebSocketRoutes } from './events/websocket-routes.ts'
import { apiTokenRoutes, authRoutes, createAuth, setupRoutes } from './features/auth/index.ts'
import {
  createTaskService,
  parseStatus,
  purgeTrash,
  taskEventRenderers,
  taskEventSchemas,
  taskPresenter,
  taskRoutes,
} from './features/tasks/index.ts'
import { canonicalUsername, createUserService, isUsername, userRoutes } from './features/users/index.ts'
import { parseFormBodies } from './http/form-body.ts'
import { version } from './http/openapi.ts'
import { healthRoutes } from './http/plugins/health.ts'
import { createHttpServer, type HttpServer } from './http/server.ts'
import type { Vocabulary } from './http/validation.ts'
import { createWrite, purgeIdempotencyKeys } from './idempotency/index.ts'
import {
  createImportRunner,
  type Importer,
  type ImportRunner,
  type ImportSchedule,
  importEventRenderers,
  importEventSchemas,
  importRoutes,
  startImportSchedule,
  todoImporter,
} from './importers/index.ts'
import { startBoss } from './jobs/boss.ts'
import { startHousekeeping } from './jobs/housekeeping.ts'
import type { Logger } from './logging/logger.ts'
import { createRateLimiter } from './rate-limit/index.ts'
import { openRedis } from './redis/redis.ts'

/** How long the parts of a shutdown may take, in milliseconds; together below 10 s. */
const DRAIN_MS = 5_000
const SOCKET_GRACE_MS = 1_000
const JOB_GRACE_MS = 2_000
const READY_TIMEOUT_MS = 1_000

/** What stands between the settings and the HTTP server: enough for a command that needs no server. */
export interface Core extends AsyncDisposable {
  connection: ConnectionOptions
  /** Names of the migrations that this start applied. */
  migrated: string[]
  db: Database
  stream: EventStream
  importers: Importer[]
  runner: ImportRunner
  /** Call after a commit that told an event. */
  changed: () => void
}

export interface App extends AsyncDisposable {
  /** Address to reach it at, such as http://localhost:8000. */
  url: string
  /** The single-use link to make the first admin with; undefined when none is needed. A secret. */
  setupLink: string | undefined
  /** Every path that is served, with its methods. */
  routes: ReadonlyMap<string, ReadonlySet<string>>
}

/** What the schemas of the features say beyond JSON Schema. */
const vocabulary: Vocabulary = {
  normalizers: {
    trim: (text) => text.trim(),
    lower: (text) => text.toLowerCase(),
    status: (text) => parseStatus(text) ?? text,
    username: canonicalUsername,
  },
  formats: {
    username: {
      is: isUsername,
      message: 'must be 3 to 64 letters, digits, dots, hyphens and underscores',
    },
  },
}

/**
 * Starts the database, embedded or not, brings its schema up to date and builds the services on it.
 * `onChange` hears of each commit that told an event.
 */
export async function startCore(config: Config, log: Logger, onChange: () => void = () => {}): Promise<Core> {
  await using stack = new AsyncDisposableStack()
  const connection = await connectionTo(config, log, stack)
  const migrated = await migrate(connection)
  if (migrated.length > 0) log.info({ migrations: migrated }, 'schema updated')
  const db = stack.use(
    openDatabase(connection, (error) => log.debug(`idle connection lost: ${error.message}`)),
  )
  const present = taskPresenter(config.STATUS_LABELS)
  const stream = stack.use(
    new EventStream(db, log, { ...taskEventRenderers(present), ...importEventRenderers }),
  )
  const changed = () => {
    stream.wake()
    onChange()
  }
  const runner = stack.use(createImportRunner({ db, log, onChange: changed }))
  const importers = [
    todoImporter({ url: config.TODO_SOURCE_URL, intervalSeconds: config.BACKGROUND_TASK_INTERVAL }),
  ]
  const owned = stack.move()
  return {
    connection,
    migrated,
    db,
    stream,
    importers,
    runner,
    changed,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/**
 * Starts everything; when it resolves, requests are served. Disposing it stops accepting, answers
 * what is in flight, closes sockets with 1001, ends jobs and then the database.
 */
export async function startApp(config: Config, log: Logger): Promise<App> {
  await using stack = new AsyncDisposableStack()
  let signal: Signal | undefined
  const core = stack.use(await startCore(config, log, () => signal?.send()))
  const { db, stream, importers, runner, changed } = core
  await stream.start()
  signal = stack.use(createSignal(db, () => stream.wake()))
  const sockets = stack.use(new Sockets())
  const sources = new EventSources()
  stack.defer(() => sources.close())
  const redis = config.REDIS_URL ? stack.use(await openRedis(config.REDIS_URL, log)) : undefined
  const auth = stack.use(
    await createAuth({
      db,
      log,
      config,
      redis,
      onRevoked: (revocation) => {
        sockets.revoke(revocation)
        sources.revoke(revocation)
      },
    }),
  )
  const limiter =
    config.RATE_LIMIT_PER_MINUTE > 0
      ? createRateLimiter({ name: 'default', points: config.RATE_LIMIT_PER_MINUTE, seconds: 60, redis, log })
      : undefined
  let schedule: ImportSchedule | undefined

  const present = taskPresenter(config.STATUS_LABELS)
  const tasks = createTaskService(db, changed)
  const events = asyncApiDocument(version, { ...taskEventSchemas, ...importEventSchemas })
  const write = createWrite({
    db,
    direct: tasks,
    on: (transaction) => createTaskService(transaction),
    onCommit: changed,
  })
  const users = createUserService(db, {
    onRevoked: () => auth.revocations.check(),
    endSessions: (id) => auth.sessions.endAll(id),
  })
  const { app: http, methodsOf } = await createHttpServer({
    config,
    log,
    vocabulary,
    authenticator: auth.authenticator,
    limiter,
    closeSockets: () => {
      sources.close()
      return sockets.close(SOCKET_GRACE_MS)
    },
    registerRoutes: (app) => {
      app.register(taskRoutes({ tasks, write, present, log }))
      app.register(importRoutes({ db, runner, importers, schedule: () => schedule }))
      app.register(userRoutes({ users, log }))
      app.register(authRoutes({ auth: auth.service, parseForms: parseFormBodies }))
      app.register(apiTokenRoutes({ apiTokens: auth.apiTokens, issueTicket: auth.gate.issueTicket, log }))
      app.register(setupRoutes({ db, ...auth, log, parseForms: parseFormBodies }))
      app.register(
        healthRoutes({
          required: { database: () => db.ping(READY_TIMEOUT_MS) },
          optional: redis ? { redis: () => redis.ping(READY_TIMEOUT_MS) } : {},
        }),
      )
      app.get('/asyncapi.json', { schema: { hide: true } }, async () => events)
      app.register(sseRoutes({ stream, sources, gate: auth.gate }))
      registerWebSocketRoutes(app, { stream, sockets, gate: auth.gate, log })
    },
  })
  const boss = await startBoss(core.connection, log)
  stack.defer(() => boss.stop({ graceful: true, timeout: JOB_GRACE_MS, close: true }))
  await startHousekeeping({
    boss,
    log,
    purges: {
      events: (limit) => purgeEvents(db, config.EVENT_RETENTION_DAYS, limit),
      trash: (limit) => purgeTrash(db, config.TRASH_DAYS, limit),
      keys: (limit) => purgeIdempotencyKeys(db, limit),
      ...auth.purges,
    },
  })
  stack.defer(() => drain(http))
  await http.listen({ host: config.HOST, port: config.PORT }).catch((error) => {
    throw new StartupError(`HOST and PORT cannot be listened on: ${errorText(error)}`)
  })
  if (config.IMPORTS === 'on')
    schedule = stack.use(await startImportSchedule({ boss, runner, importers, log }))

  const owned = stack.move()
  const url = urlOf(config.HOST, http)
  const setupPath = await auth.setupPath()
  return {
    url,
    setupLink: setupPath && url + setupPath,
    routes: methodsOf,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

async function connectionTo(
  config: Config,
  log: Logger,
  stack: AsyncDisposableStack,
): Promise<ConnectionOptions> {
  if (config.DATABASE_URL) return { connectionString: config.DATABASE_URL }
  const embedded = stack.use(await startEmbeddedPostgres({ dataDir: config.DATA_DIR, log }))
  return embedded.connection
}

/** Answers what is in flight; what is not done by then is cut off. */
async function drain(http: HttpServer): Promise<void> {
  const timer = setTimeout(() => http.server.closeAllConnections(), DRAIN_MS)
  await http.close()
  clearTimeout(timer)
}

function urlOf(host: string, http: HttpServer): string {
  const { port } = http.server.address() as AddressInfo
  const name = isLoopback(host) || host === '0.0.0.0' || host === '::' ? 'localhost' : host
  return `http://${name.includes(':') ? `[${name}]` : name}:${port}`
}
