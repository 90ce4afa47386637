import type { AddressInfo } from 'node:net'
import { type Config, isLoopback } from './config/config.ts'
import { errorText, StartupError } from './core/errors.ts'
import { type ConnectionOptions, type Database, openDatabase } from './database/database.ts'
import { startEmbeddedPostgres } from './database/embedded.ts'
import { migrate } from './database/migrate.ts'
import { Sockets } from './events/sockets.ts'
import { EventStream } from './events/stream.ts'
import { registerWebSocketRoutes } from './events/websocket-routes.ts'
import {
  createTaskService,
  parseStatus,
  taskEventRenderers,
  taskPresenter,
  taskRoutes,
} from './features/tasks/index.ts'
import { healthRoutes } from './http/plugins/health.ts'
import { createHttpServer, type HttpServer } from './http/server.ts'
import {
  createImportRunner,
  type Importer,
  type ImportRunner,
  type ImportSchedule,
  importEventRenderers,
  importRoutes,
  startImportSchedule,
  todoImporter,
} from './importers/index.ts'
import { startBoss } from './jobs/boss.ts'
import { startHousekeeping } from './jobs/housekeeping.ts'
import type { Logger } from './logging/logger.ts'

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
}

export interface App extends AsyncDisposable {
  /** Address to reach it at, such as http://localhost:8000. */
  url: string
}

/** Starts the database, embedded or not, brings its schema up to date and builds the services on it. */
export async function startCore(config: Config, log: Logger): Promise<Core> {
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
  const runner = stack.use(createImportRunner({ db, log, onChange: () => stream.wake() }))
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
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/**
 * Starts everything; when it resolves, requests are served. Disposing it stops accepting, answers
 * what is in flight, closes sockets with 1001, ends jobs and then the database.
 */
export async function startApp(config: Config, log: Logger): Promise<App> {
  await using stack = new AsyncDisposableStack()
  const core = stack.use(await startCore(config, log))
  const { db, stream, importers, runner } = core
  await stream.start()
  const sockets = stack.use(new Sockets())
  let schedule: ImportSchedule | undefined

  const present = taskPresenter(config.STATUS_LABELS)
  const tasks = createTaskService(db, () => stream.wake())
  const http = await createHttpServer({
    config,
    log,
    normalizers: { trim: (text) => text.trim(), status: (text) => parseStatus(text) ?? text },
    closeSockets: () => sockets.close(SOCKET_GRACE_MS),
    registerRoutes: (app) => {
      app.register(taskRoutes({ tasks, present, log }))
      app.register(importRoutes({ db, runner, importers, schedule: () => schedule }))
      app.register(healthRoutes({ database: () => db.ping(READY_TIMEOUT_MS) }))
      registerWebSocketRoutes(app, { stream, sockets })
    },
  })
  const boss = await startBoss(core.connection, log)
  stack.defer(() => boss.stop({ graceful: true, timeout: JOB_GRACE_MS, close: true }))
  await startHousekeeping({
    boss,
    db,
    log,
    eventRetentionDays: config.EVENT_RETENTION_DAYS,
    trashDays: config.TRASH_DAYS,
  })
  stack.defer(() => drain(http))
  await http.listen({ host: config.HOST, port: config.PORT }).catch((error) => {
    throw new StartupError(`HOST and PORT cannot be listened on: ${errorText(error)}`)
  })
  if (config.IMPORTS === 'on')
    schedule = stack.use(await startImportSchedule({ boss, runner, importers, log }))

  const owned = stack.move()
  return { url: urlOf(config.HOST, http), [Symbol.asyncDispose]: () => owned.disposeAsync() }
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
