import { DomainError, errorText } from '../core/errors.ts'
import type { Database, Session } from '../database/database.ts'
import { isLockTimeout } from '../database/sqlstate.ts'
import { appendEvent } from '../events/outbox.ts'
import type { Logger } from '../logging/logger.ts'
import type { Importer, ImportRun, Trigger } from './importer.ts'
import { beginRun, failRun, findRun, finishRun } from './run-store.ts'

/** How long a run by hand waits for one that is under way. */
const WAIT_MS = 30_000

export interface ImportRunner extends AsyncDisposable {
  /**
   * Runs an importer now and returns the finished run, also when it failed. Across all processes one
   * run of an importer happens at a time: a scheduled one that finds another under way is skipped
   * (undefined), one by hand waits for it and then runs.
   */
  run(importer: Importer, trigger: Trigger): Promise<ImportRun | undefined>
}

export function createImportRunner(deps: { db: Database; log: Logger; onChange: () => void }): ImportRunner {
  const { db, log, onChange } = deps
  const stopping = new AbortController()
  /** The last run of each importer here. Those that wait for it hold no connection of the pool. */
  const running = new Map<string, Promise<unknown>>()

  async function inTurn(before: Promise<unknown>, importer: Importer): Promise<ImportRun | undefined> {
    const asked = Date.now()
    await before.catch(() => {})
    if (stopping.signal.aborted) throw new DomainError('unavailable', 'The server is stopping.')
    if (Date.now() - asked > WAIT_MS) throw underWay(importer.name)
    return await run(importer, 'manual')
  }

  async function run(importer: Importer, trigger: Trigger): Promise<ImportRun | undefined> {
    await using session = await db.session()
    if (!(await lock(session, importer.name, trigger))) return skipped(importer)
    const runId = await beginRun(db, importer.name, trigger)
    const context = { importer: importer.name, runId }
    log.info(context, 'import started')
    const finished = await attempt(importer, runId)
    if (finished.state === 'failed') log.warn({ ...context, error: finished.error }, 'import failed')
    else log.info({ ...context, ...counted(finished) }, 'import completed')
    onChange()
    return finished
  }

  function skipped({ name }: Importer): undefined {
    log.info({ importer: name }, 'import skipped: another run is under way')
  }

  async function attempt(importer: Importer, runId: number): Promise<ImportRun> {
    try {
      const save = await importer.fetch(stopping.signal)
      // The rows, the run's end and its event are one: all of them or none.
      return await db.transaction(async (transaction) => {
        const finished = await finishRun(transaction, runId, await save(transaction))
        const data = { ...counted(finished), importer: importer.name, run_id: runId }
        await appendEvent(transaction, { type: 'background_task_completed', data })
        return finished
      })
    } catch (error) {
      const reason = stopping.signal.aborted ? 'the server stopped' : errorText(error)
      return await db.transaction(async (transaction) => {
        const failed = await failRun(transaction, runId, reason)
        if (!failed) return await findRun(transaction, runId)
        const data = { importer: importer.name, run_id: runId, error: reason }
        await appendEvent(transaction, { type: 'background_task_failed', data })
        return failed
      })
    }
  }

  return {
    async run(importer, trigger) {
      const before = running.get(importer.name)
      if (before && trigger === 'schedule') return skipped(importer)
      const current = before ? inTurn(before, importer) : run(importer, trigger)
      running.set(importer.name, current)
      return await current.finally(() => {
        if (running.get(importer.name) === current) running.delete(importer.name)
      })
    },
    async [Symbol.asyncDispose]() {
      stopping.abort()
      await Promise.allSettled(running.values())
    },
  }
}

// A session lock: it ends with its connection, so a killed process never leaves it behind.
async function lock(session: Session, name: string, trigger: Trigger): Promise<boolean> {
  const key = "hashtext('taskwire import'), hashtext($1)"
  if (trigger === 'schedule') {
    const { rows } = await session.query<{ got: boolean }>({
      text: `SELECT pg_try_advisory_lock(${key}) AS got`,
      values: [name],
    })
    return rows[0]!.got
  }
  try {
    await session.query({ text: `SET statement_timeout = 0; SET lock_timeout = ${WAIT_MS}` })
    await session.query({ text: `SELECT pg_advisory_lock(${key})`, values: [name] })
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
