import { availableParallelism } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import pg, {
  type PoolClient,
  type PoolConfig,
  type QueryConfig,
  type QueryResult,
  type QueryResultRow,
} from 'pg'
import { errorText } from '../../core/errors.ts'
import { isoTimestamp } from '../../core/timestamp.ts'
import { type CommitEffect, runEffects } from './after-commit.ts'
import { streamOf } from './driver.ts'
import { Lanes } from './lanes.ts'
import { listen } from './listen.ts'
import { endsConnection, isRetried, translated, unavailable } from './sqlstate.ts'

/** A statement with its values; one with a `name` is prepared once per connection. */
export interface Statement {
  name?: string
  text: string
  values?: unknown[]
  /** It only reads. A quick one may be sent together with others; of lists, which are work, few are made at once. */
  read?: 'quick' | 'list'
  /** Rows are the values in their order: a third of the time for rows that are wide and many. */
  rowMode?: 'array'
}

/** Something statements can be run on: the database itself, or a transaction of it. */
export interface Queryable {
  /** Outside a transaction, a statement that is the victim of a deadlock is run again. */
  query<R extends QueryResultRow>(statement: Statement): Promise<QueryResult<R>>
}

/** A handle for changes: the database itself, where each statement commits by itself, or a transaction of it. */
interface ChangeHandle extends Queryable {
  /**
   * Runs `effect` once what was written on this handle is committed. On the database that is at once, because each
   * statement is committed when it is answered: call it after the `await`. In a transaction it waits for COMMIT: effects
   * then run in the order in which they were registered, never after a rollback, and only those of the last attempt
   * when the transaction is retried. They do not run when nobody knows whether COMMIT succeeded, because its answer
   * was lost. An effect that throws is reported; it neither fails the caller nor stops the other effects.
   */
  afterCommit(effect: CommitEffect): void
}

/** Proof that the holder is inside a transaction. */
export interface Transaction extends ChangeHandle {
  readonly inTransaction: true
}

/** One connection that is the caller's alone, for session state such as advisory locks. */
export interface DatabaseSession extends Queryable, AsyncDisposable {}

export interface Database extends ChangeHandle, AsyncDisposable {
  /**
   * Runs `work` in a READ COMMITTED transaction; an exception rolls it back. The whole of `work` is
   * run again on a serialization failure or deadlock, up to 5 times, so other effects belong into `afterCommit`.
   */
  transaction<T>(work: (transaction: Transaction) => Promise<T>): Promise<T>
  session(): Promise<DatabaseSession>
  /** Receives the notifications of a channel; see `listen`. */
  listen(channel: string, heard: (payload: string | undefined) => void): AsyncDisposable
  /** Connections of the pool: open, unused, and how many callers wait for one. */
  connections(): { open: number; idle: number; waiting: number }
  /** Resolves when a statement is answered within `milliseconds`, else rejects. */
  ping(milliseconds: number): Promise<void>
}

export type ConnectionOptions = Pick<
  PoolConfig,
  'connectionString' | 'host' | 'port' | 'user' | 'password' | 'database'
>

/** Connections for pipelined single statements, and for transactions and sessions. */
const LANES = 8
const EXCLUSIVE = 8
/** PostgreSQL has about the cores that we have, and is one of two who need them. */
const LISTS_AT_ONCE = Math.min(availableParallelism() + 1, LANES)
const STATEMENT_TIMEOUT_MS = 15_000
/** A statement has its answer by then, if only that it took too long; else the server is out of reach. */
const ANSWER_MS = 20_000
/** Sessions may wait for a lock beyond the statement timeout. */
const SESSION_ANSWER_FACTOR = 3
const CONNECT_TIMEOUT_MS = 5_000
/** Sooner than a firewall on the way forgets a connection on which nothing happens. */
const KEEP_ALIVE_MS = 30_000
const ATTEMPTS = 5
const BACKOFF_MS = 10

const { builtins } = pg.types
const TEXT_ARRAY = 1009
const parseTextArray: (text: string) => unknown = pg.types.getTypeParser(TEXT_ARRAY as never)
const parsers: Partial<Record<number, (text: string) => unknown>> = {
  [builtins.TIMESTAMPTZ]: isoTimestamp,
  // Counts and event ids stay below 2^53.
  [builtins.INT8]: Number,
  // Most tasks have no labels, and lists have many tasks.
  [TEXT_ARRAY]: (text) => (text === '{}' ? [] : parseTextArray(text)),
}

// Times are read as UTC text. The driver uses a URL's `options` in place of the client's, so the session options are appended to them.
const SESSION_OPTIONS = '-c TimeZone=UTC -c DateStyle=ISO'

export function withSessionOptions(connection: ConnectionOptions): PoolConfig {
  if (!connection.connectionString) return { ...connection, options: SESSION_OPTIONS }
  const url = new URL(connection.connectionString)
  url.searchParams.set('options', `${url.searchParams.get('options') ?? ''} ${SESSION_OPTIONS}`.trim())
  return { connectionString: url.href }
}

/** Runs `work` in the transaction that is given, or in one of its own. */
export function inTransactionOf<T>(
  db: Database | Transaction,
  work: (transaction: Transaction) => Promise<T>,
): Promise<T> {
  return 'inTransaction' in db ? work(db) : db.transaction(work)
}

/**
 * Opens the one pool of this process. `onIdleError` is called for each connection that is lost while idle, and
 * `onEffectError` for each effect of `afterCommit` that fails. A connection on which nothing is answered within
 * `answerMs` is given up.
 */
export function openDatabase(
  connection: ConnectionOptions,
  onIdleError: (error: Error) => void,
  options: { onEffectError?: (error: unknown) => void; answerMs?: number | undefined } = {},
): Database {
  const { onEffectError = (error) => process.emitWarning(errorText(error)), answerMs = ANSWER_MS } = options
  const pool = new pg.Pool({
    ...withSessionOptions(connection),
    application_name: 'taskwire',
    pipeline: true,
    max: LANES + EXCLUSIVE,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    idleTimeoutMillis: 30_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    onConnect: refuseStandby,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    query_timeout: answerMs,
    idle_in_transaction_session_timeout: STATEMENT_TIMEOUT_MS,
    types: { getTypeParser: (oid, format) => parsers[oid as number] ?? pg.types.getTypeParser(oid, format) },
  } as PoolConfig)
  pool.on('error', onIdleError)
  // The last word of a dying server may come with the first of the connection, before anybody listens to it.
  pool.on('connect', (client) => client.on('error', () => {}))
  // Whatever keeps one from us, the statement is not at fault, and can be tried again.
  const connect = () => pool.connect().catch((error) => Promise.reject(unavailable(error)))
  const lanes = new Lanes(connect, LANES, LISTS_AT_ONCE)

  const query = <R extends QueryResultRow>(statement: Statement) =>
    retried(() => lanes.query<R>(statement as QueryConfig, statement.read))

  return {
    query,
    async transaction(work) {
      const { result, effects } = await retried(() => inTransaction(connect, work))
      runEffects(effects, onEffectError)
      return result
    },
    afterCommit: (effect) => runEffects([effect], onEffectError),
    session: () => openSession(connect, answerMs * SESSION_ANSWER_FACTOR),
    listen: (channel, heard) =>
      listen({ ...withSessionOptions(connection), application_name: 'taskwire events' }, channel, heard),
    connections: () => ({ open: pool.totalCount, idle: pool.idleCount, waiting: pool.waitingCount }),
    async ping(milliseconds) {
      const { promise: late, reject } = Promise.withResolvers<never>()
      const timer = setTimeout(() => reject(new Error(`no answer in ${milliseconds} ms`)), milliseconds)
      await Promise.race([query({ name: 'ping', text: 'SELECT 1' }), late]).finally(() => clearTimeout(timer))
    },
    async [Symbol.asyncDispose]() {
      lanes.close()
      await pool.end()
    },
  }
}

async function retried<T>(run: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await run()
    } catch (error) {
      if (attempt === ATTEMPTS || !isRetried(error)) throw translated(error)
      // Time for the other side of a deadlock to take the row; run again at once, this one can be first again.
      await delay(Math.random() * BACKOFF_MS * 2 ** attempt)
    }
  }
}

/**
 * After a failover the name of the database may lead to the server that was the primary, for a while. Its connections
 * would stay, take no writes, and show nothing of the transactions that events have to wait for.
 */
async function refuseStandby(client: pg.ClientBase): Promise<void> {
  try {
    const { rows } = await client.query<{ is_standby: boolean }>('SELECT pg_is_in_recovery() AS is_standby')
    if (rows[0]!.is_standby) throw new Error('this is a standby')
  } catch (error) {
    // The pool would wait for the goodbye of a server that may be out of reach.
    streamOf(client).destroy()
    throw error
  }
}

async function inTransaction<T>(
  connect: () => Promise<PoolClient>,
  work: (transaction: Transaction) => Promise<T>,
): Promise<{ result: T; effects: readonly CommitEffect[] }> {
  const client = await connect()
  const effects: CommitEffect[] = []
  let failure: Error | undefined
  const onError = (error: Error) => {
    failure = error
  }
  client.on('error', onError)
  try {
    await client.query('BEGIN')
    const result = await work({
      inTransaction: true,
      query: <R extends QueryResultRow>(statement: Statement) => client.query<R>(statement as QueryConfig),
      afterCommit: (effect) => effects.push(effect),
    })
    // COMMIT of a transaction in which a statement has failed is answered with ROLLBACK, and is no error.
    const { command } = await client.query('COMMIT')
    if (command !== 'COMMIT') throw new Error('a statement of the transaction failed, so it was rolled back')
    return { result, effects }
  } catch (error) {
    await client.query('ROLLBACK').catch((rollbackError: Error) => {
      failure = rollbackError
    })
    if (endsConnection(error)) failure = error as Error
    throw error
  } finally {
    client.off('error', onError)
    client.release(failure)
  }
}

async function openSession(connect: () => Promise<PoolClient>, answerMs: number): Promise<DatabaseSession> {
  const client = await connect()
  const ignore = () => {} // The statements on it fail by themselves.
  client.on('error', ignore)
  return {
    query: <R extends QueryResultRow>(statement: Statement) =>
      client
        .query<R>({ ...statement, query_timeout: answerMs } as QueryConfig)
        .catch((error) => Promise.reject(translated(error))),
    async [Symbol.asyncDispose]() {
      client.off('error', ignore)
      // Closing the connection is what surely frees everything a session holds.
      client.release(true)
    },
  }
}
