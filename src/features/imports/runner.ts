import { DomainError, errorText } from '../../core/errors.ts'
import { appendEvent } from '../../events/outbox.ts'
import type { Database, DatabaseSession } from '../../platform/database/database.ts'
import { isLockTimeout } from '../../platform/database/sqlstate.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import { beginRun, closeCutOff, failRun, findRun, findRunning, finishRun } from './import-run-store.ts'
import type { Importer, ImportRun, Trigger } from './importer.ts'

/** Advisory lock keys of the importer that is the first value of a statement. */
const LOCK = "hashtext('taskwire import'), hashtext($1)"
/** How long a manual run waits for a run in progress. */
const WAIT_MS = 30_000

export interface ImportRunner extends AsyncDisposable {
  /**
   * Runs an importer now and returns the finished run, which may have failed. Across all processes one run of an
   * importer is in progress at a time. A scheduled run is skipped (undefined) if another is in progress; a manual run
   * waits for it. Aborting `signal` makes the run fail.
   */
  run(importer: Importer, trigger: Trigger, signal?: AbortSignal): Promise<ImportRun | undefined>
  /**
   * Starts a manual run in the background and returns its id. If a run is in progress in any process, returns the id
   * of that run and starts none.
   */
  start(importer: Importer): Promise<number>
  /** Marks a run as failed whose process was killed. It would otherwise be shown as running until the next run. */
  closeCutOff(importer: Importer): Promise<void>
}

interface StartOptions {
  /** Whether to wait for a run in progress. If false, the run is skipped. */
  wait: boolean
  /** Called with the id of the run once it is recorded. */
  onStarted?: (runId: number) => void
}

export function createImportRunner(deps: {
  db: Database
  log: Logger
  onChange: () => void
  /** Called for each run that has finished in this process. */
  onEnd?: (run: ImportRun) => void
}): ImportRunner {
  const { db, log, onChange, onEnd } = deps
  const stopping = new AbortController()
  /** The last run of each importer in this process. Runs that wait for it hold no database connection. */
  const running = new Map<string, Promise<unknown>>()

  async function inTurn(
    before: Promise<unknown>,
    importer: Importer,
    signal: AbortSignal,
  ): Promise<ImportRun | undefined> {
    const requestedAt = Date.now()
    await before.catch(() => {})
    if (stopping.signal.aborted) throw new DomainError('unavailable', 'The server is stopping.')
    signal.throwIfAborted()
    if (Date.now() - requestedAt > WAIT_MS) throw inProgress(importer.name)
    return await run(importer, 'manual', signal, { wait: true })
  }

  async function run(
    importer: Importer,
    trigger: Trigger,
    signal: AbortSignal,
    { wait, onStarted }: StartOptions,
  ): Promise<ImportRun | undefined> {
    await using session = await db.session()
    if (!(await lock(session, importer.name, wait))) return skipped(importer)
    const { id: runId, closedCutOff } = await beginRun(db, importer.name, trigger)
    if (closedCutOff) db.afterCommit(onChange) // The interrupted run was closed with an event.
    onStarted?.(runId)
    const context = { importer: importer.name, runId }
    log.info(context, 'import started')
    const finished = await attempt(importer, runId, signal)
    if (finished.state === 'failed') log.warn({ ...context, error: finished.error }, 'import failed')
    else log.info({ ...context, ...counted(finished) }, 'import completed')
    onEnd?.(finished)
    return finished
  }

  function skipped({ name }: Importer): undefined {
    log.info({ importer: name }, 'import skipped: another run is in progress')
  }

  async function attempt(importer: Importer, runId: number, signal: AbortSignal): Promise<ImportRun> {
    try {
      const save = await importer.fetch(signal)
      signal.throwIfAborted()
      // The rows, the result of the run and its event are committed together or not at all.
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

  /** Starts a run in the background and returns its id; undefined if it was skipped. */
  async function startRun(importer: Importer, wait: boolean): Promise<number | undefined> {
    const { promise, resolve } = Promise.withResolvers<number>()
    const current = remembered(
      importer,
      run(importer, 'manual', stopping.signal, { wait, onStarted: resolve }),
    )
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
    async run(importer, trigger, callerSignal) {
      const signal = callerSignal ? AbortSignal.any([stopping.signal, callerSignal]) : stopping.signal
      const before = running.get(importer.name)
      if (before && trigger === 'schedule') return skipped(importer)
      const current = before
        ? inTurn(before, importer, signal)
        : run(importer, trigger, signal, { wait: trigger === 'manual' })
      return await remembered(importer, current)
    },
    async start(importer) {
      const id = running.has(importer.name) ? undefined : await startRun(importer, false)
      // A run that is not recorded yet is about to be, or has just finished.
      return id ?? (await findRunning(db, importer.name)) ?? (await startRun(importer, true))!
    },
    async closeCutOff({ name }) {
      // The lock ends with the transaction, so it is released before the first run, which it would cause to be skipped.
      await db.transaction(async (transaction) => {
        const { rows } = await transaction.query<{ got: boolean }>({
          text: `SELECT pg_try_advisory_xact_lock(${LOCK}) AS got`,
          values: [name],
        })
        if (!rows[0]!.got || !(await closeCutOff(transaction, name))) return
        transaction.afterCommit(onChange)
        transaction.afterCommit(() => log.warn({ importer: name }, 'import interrupted: the process ended'))
      })
    },
    async [Symbol.asyncDispose]() {
      stopping.abort()
      await Promise.allSettled(running.values())
    },
  }
}

// A session lock ends with its connection, so a killed process never leaves it behind.
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
    throw inProgress(name)
  }
}

function inProgress(name: string): DomainError {
  return new DomainError('conflict', `A run of "${name}" is in progress. Try again when it has finished.`)
}

function counted({ created_count, updated_count, skipped_count }: ImportRun) {
  return { created_count, updated_count, skipped_count }
}
