import { StartupError } from '../core/errors.ts'
import {
  createPostgresSessionStore,
  createRedisSessionStore,
  type SessionStore,
} from '../features/auth/index.ts'
import { findUserByName, type UserRecord } from '../features/users/index.ts'
import { loadConfig } from '../platform/config/config.ts'
import { type Database, openDatabase } from '../platform/database/database.ts'
import { startEmbeddedPostgres } from '../platform/database/embedded.ts'
import { connectEmbedded } from '../platform/database/embedded-running.ts'
import { migrate } from '../platform/database/migrate.ts'
import { openRedis } from '../platform/redis/redis.ts'
import type { ProgramContext } from './context.ts'
import { consoleLogger } from './logger.ts'

/** The configured stores for commands about users, with or without a running server. */
export interface Accounts extends AsyncDisposable {
  db: Database
  sessions: SessionStore
  /** @throws StartupError when there is no such user */
  user(username: string): Promise<UserRecord>
}

/** Opens the database, whose schema is brought up to date, and, if `sessions` are needed, Redis where it keeps them. */
export async function openAccounts(
  { environment, console }: ProgramContext,
  needs: { sessions: boolean } = { sessions: false },
): Promise<Accounts> {
  const config = loadConfig(environment())
  const log = consoleLogger(console)
  await using stack = new AsyncDisposableStack()
  const embedded = { dataDir: config.DATA_DIR, log }
  const connection = config.DATABASE_URL
    ? { connectionString: config.DATABASE_URL }
    : ((await connectEmbedded(embedded)) ?? stack.use(await startEmbeddedPostgres(embedded)).connection)
  await migrate(connection)
  const db = stack.use(openDatabase(connection, () => {}))
  const redis =
    config.REDIS_URL && needs.sessions ? stack.use(await openRedis(config.REDIS_URL, log)) : undefined
  const owned = stack.move()
  return {
    db,
    sessions: redis ? createRedisSessionStore(redis) : createPostgresSessionStore(db),
    async user(username) {
      const found = await findUserByName(db, username)
      if (!found) throw new StartupError(`There is no user "${username}"`)
      return found
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
