import { DomainError, errorText } from '../../core/errors.ts'
import { appendEvent } from '../../events/outbox.ts'
import type { Database, DatabaseSession } from '../../platform/database/database.ts'
import { isLockTimeout } from '../../platform/database/sqlstate.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import { beginRun, closeCutOff, failRun, findRun, findRunning, finishRun } from './import-run-store.ts'
import type { Importer, ImportRun, Trigger } from './importer.ts'

/** Of the importer that is the first value of a statement. */
const LOCK = "hashtext('taskwire import'), hashtext($1)"
/** How long a run by hand waits for one that is under way. */
const WAIT_MS = 30_000

export interface ImportRunner extends AsyncDisposable {
  /**
   * Runs an importer now and returns the finished run, also when it failed. Across all processes one
   * run of an importer happens at a time: a scheduled one that finds another under way is skipped
   * (undefined), one by hand waits for it and then runs. `signal` ends it early, as failed.
   */
  run(importer: Importer, trigger: Trigger, signal?: AbortSignal): Promise<ImportRun | undefined>
  /**
   * Begins a run by hand and returns its id; the run goes on by itself. While one is under way, in
   * whichever process, it begins none and returns the id of that one.
   */
  start(importer: Importer): Promise<number>
  /** Closes the run of a process that was killed in the middle, which would look as if it were under way until the next. */
  closeCutOff(importer: Importer): Promise<void>
}

interface Begin {
  /** Whether it waits for a run that is under way; else there is none. */
  wait: boolean
  /** Hears the id of the run, once it is recorded. */
  begun?: (runId: number) => void
}

export function createImportRunner(deps: {
  db: Database
  log: Logger
  onChange: () => void
  /** Hears of each run that has ended here. */
  onEnd?: (run: ImportRun) => void
}): ImportRunner {
  const { db, log, onChange, onEnd } = deps
  const stopping = new AbortController()
  /** The last run of each importer here. Those that wait for it hold no connection of the pool. */
  const running = new Map<string, Promise<unknown>>()

  async function inTurn(
    before: Promise<unknown>,
    importer: Importer,
    signal: AbortSignal,
  ): Promise<ImportRun | undefined> {
    const asked = Date.now()
    await before.catch(() => {})
    if (stopping.signal.aborted) throw new DomainError('unavailable', 'The server is stopping.')
    signal.throwIfAborted()
    if (Date.now() - asked > WAIT_MS) throw underWay(importer.name)
    return await run(importer, 'manual', signal, { wait: true })
  }

  async function run(
    importer: Importer,
    trigger: Trigger,
    signal: AbortSignal,
    { wait, begun }: Begin,
  ): Promise<ImportRun | undefined> {
    await using session = await db.session()
    if (!(await lock(session, importer.name, wait))) return skipped(importer)
    const runId = await beginRun(db, importer.name, trigger)
    begun?.(runId)
    const context = { importer: importer.name, runId }
    log.info(context, 'import started')
    const finished = await attempt(importer, runId, signal)
    if (finished.state === 'failed') log.warn({ ...context, error: finished.error }, 'import failed')
    else log.info({ ...context, ...counted(finished) }, 'import completed')
    onEnd?.(finished)
    return finished
  }

  function skipped({ name }: Importer): undefined {
    log.info({ importer: name }, 'import skipped: another run is under way')
  }

  async function attempt(importer: Importer, runId: number, signal: AbortSignal): Promise<ImportRun> {
    try {
      const save = await importer.fetch(signal)
      signal.throwIfAborted()
      // The rows, the run's end and its event are one: all of them or none.
      return await db.transaction(async (transaction) => {
        const finished = await finishRun(transaction, runId, await save(transaction))
        const data = { ...counted(finished), importer: importer.name, run_id: runId }
        await appendEvent(transaction, { type: 'background_task_completed', data })
        transaction.afterCommit(onChange)
        return finished
      })
    } catch (error) {
      const reason = stopping.signal.aborted ? 'the server stopped' : errorText(error)
      return await db.transaction(async (transaction) => {
        const failed = await failRun(transaction, runId, reason)
        if (!failed) return await findRun(transaction, runId)
        const data = { importer: importer.name, run_id: runId, error: reason }
        await appendEvent(transaction, { type: 'background_task_failed', data })
        transaction.afterCommit(onChange)
        return failed
      })
    }
  }

  /** The id of a run that begins and goes on by itself; undefined when one is under way and it does not wait. */
  async function begin(importer: Importer, wait: boolean): Promise<number | undefined> {
    const { promise, resolve } = Promise.withResolvers<number>()
    const current = remembered(importer, run(importer, 'manual', stopping.signal, { wait, begun: resolve }))
    current.catch((error) =>
      log.warn({ importer: importer.name }, `import could not run: ${errorText(error)}`),
    )
    return await Promise.race([promise, current.then((finished) => finished?.run_id)])
  }

  function remembered<T>({ name }: Importer, current: Promise<T>): Promise<T> {
    running.set(name, current)
    return current.finally(() => {
      if (running.get(name) === current) running.delete(name)
    })
  }

  return {
    async run(importer, trigger, asked) {
      const signal = asked ? AbortSignal.any([stopping.signal, asked]) : stopping.signal
      const before = running.get(importer.name)
      if (before && trigger === 'schedule') return skipped(importer)
      const current = before
        ? inTurn(before, importer, signal)
        : run(importer, trigger, signal, { wait: trigger === 'manual' })
      return await remembered(importer, current)
    },
    async start(importer) {
      const id = running.has(importer.name) ? undefined : await begin(importer, false)
      // One that is neither begun nor recorded is about to be, or has just ended.
      return id ?? (await findRunning(db, importer.name)) ?? (await begin(importer, true))!
    },
    async closeCutOff({ name }) {
      // Its lock ends with the transaction, for sure before the first run, which would be skipped for it.
      await db.transaction(async (transaction) => {
        const { rows } = await transaction.query<{ got: boolean }>({
          text: `SELECT pg_try_advisory_xact_lock(${LOCK}) AS got`,
          values: [name],
        })
        if (!rows[0]!.got || !(await closeCutOff(transaction, name))) return
        transaction.afterCommit(onChange)
        transaction.afterCommit(() =>
          log.warn({ importer: name }, 'an import was cut off: the process ended'),
        )
      })
    },
    async [Symbol.asyncDispose]() {
      stopping.abort()
      await Promise.allSettled(running.values())
    },
  }
}

// A session lock: it ends with its connection, so a killed process never leaves it behind.
async function lock(session: DatabaseSession, name: string, wait: boolean): Promise<boolean> {
  if (!wait) {
    const { rows } = await session.query<{ got: boolean }>({
      text: `SELECT pg_try_advisory_lock(${LOCK}) AS got`,
      values: [name],
    })
    return rows[0]!.got
  }
  try {
    await session.query({ text: `SET statement_timeout = 0; SET lock_timeout = ${WAIT_MS}` })
    await session.query({ text: `SELECT pg_advisory_lock(${LOCK})`, values: [name] })
    return true
  } catch (error) {
    if (!isLockTimeout(error)) throw error
    throw underWay(name)
  }
}

function underWay(name: string): DomainError {
  return new DomainError('conflict', `A run of "${name}" is under way; try again when it is done.`)
}

function counted({ created_count, updated_count, skipped_count }: ImportRun) {
  return { created_count, updated_count, skipped_count }
}
