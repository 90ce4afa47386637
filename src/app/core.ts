import type { StoredEvent } from '../events/event-types.ts'
import { EventStream } from '../events/stream.ts'
import { currencyEventRenderers } from '../features/currencies/index.ts'
import {
  createImportRunner,
  type Importer,
  type ImportRunner,
  importEventRenderers,
  importersOf,
  importMetrics,
} from '../features/imports/index.ts'
import { taskEventRenderers, taskPresenter } from '../features/tasks/index.ts'
import type { Config } from '../platform/config/config.ts'
import { type ConnectionOptions, type Database, openDatabase } from '../platform/database/database.ts'
import { startEmbeddedPostgres } from '../platform/database/embedded.ts'
import { migrate } from '../platform/database/migrate.ts'
import type { Logger } from '../platform/logging/logger.ts'
import type { Metrics } from '../platform/metrics/index.ts'

/** The services between the settings and the HTTP server. They are enough for a command that needs no server. */
export interface Core extends AsyncDisposable {
  connection: ConnectionOptions
  /** Names of the migrations that this start applied. */
  migrated: string[]
  db: Database
  stream: EventStream
  importers: Importer[]
  runner: ImportRunner
  /** Wakes the relay after a commit. Pass the committed events if you have them; the relay then need not read them. */
  changed: (events?: readonly StoredEvent[]) => void
}

/**
 * Starts the database, embedded or not, brings its schema up to date and builds the services on it.
 * `onChange` is called after each commit that published an event.
 */
export async function startCore(
  config: Config,
  log: Logger,
  options: { onChange?: () => void; connection?: ConnectionOptions | undefined; metrics?: Metrics } = {},
): Promise<Core> {
  const { onChange = () => {}, metrics } = options
  await using stack = new AsyncDisposableStack()
  const connection = options.connection ?? (await connectionTo(config, log, stack))
  const migrated = await migrate(connection)
  if (migrated.length > 0) log.info({ migrations: migrated }, 'schema updated')
  const db = stack.use(
    openDatabase(connection, (error) => log.debug(`idle connection lost: ${error.message}`), {
      onEffectError: (err) => log.error({ err }, 'an effect of a committed change failed'),
    }),
  )
  const present = taskPresenter(config.STATUS_LABELS)
  const stream = stack.use(
    new EventStream(
      db,
      log,
      { ...taskEventRenderers(present), ...importEventRenderers, ...currencyEventRenderers },
      metrics,
    ),
  )
  const changed = (events?: readonly StoredEvent[]) => {
    stream.wake(events)
    onChange()
  }
  const importers = importersOf(config)
  const onEnd = metrics && importMetrics(metrics, db, importers)
  const runner = stack.use(createImportRunner({ db, log, onChange: changed, ...(onEnd && { onEnd }) }))
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

async function connectionTo(
  config: Config,
  log: Logger,
  stack: AsyncDisposableStack,
): Promise<ConnectionOptions> {
  if (config.DATABASE_URL) return { connectionString: config.DATABASE_URL }
  const embedded = stack.use(await startEmbeddedPostgres({ dataDir: config.DATA_DIR, log }))
  return embedded.connection
}
