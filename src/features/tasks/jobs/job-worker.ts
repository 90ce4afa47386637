import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { errorText, isUnavailable } from '../../../core/errors.ts'
import type { Database } from '../../../platform/database/database.ts'
import type { Logger } from '../../../platform/logging/logger.ts'
import { Backlog } from './backlog.ts'
import { exchangeRuns, type TicketedRun } from './exchange-runs.ts'
import type { EndedRun, StartedRun } from './job-store.ts'
import type { JobType } from './job-type.ts'
import { runJob } from './run-job.ts'
import { RENEW_MS, type TaskQueue } from './task-queue.ts'
import { endedElsewhere } from './task-run-store.ts'

/** Interval of polling the queue, for jobs that have come due and for lost notifications. */
const POLL_MS = 1_000
/** How long jobs may go on once the worker is to end, and how long it then tries to give back the others. */
const GRACE_MS = 10_000
const GIVE_BACK_MS = 3_000
const RETRY_MS = 250
/** Every new job wakes; it is not looked for cancelled ones more often than this. */
const LOOK_MS = 200

interface Running extends TicketedRun<StartedRun> {
  stop: AbortController
}

/** Counters of a job worker since it started. */
export interface JobWorkerStats {
  concurrency: number
  running: number
  succeeded: number
  failed: number
  /** Attempts that failed and are followed by another. */
  retried: number
}

export interface JobWorkerDependencies {
  db: Database
  queue: TaskQueue
  types: readonly JobType[]
  concurrency: number
  log: Logger
  /** Called after each commit that published events. */
  onChange: () => void
  /** How long jobs may go on once the worker is to end; 10 s when absent. */
  graceMs?: number
}

/**
 * Runs the jobs of executable tasks, up to `concurrency` at a time. It writes in batches: the more jobs have ended or
 * wait, the more one transaction does, so that the cost of a job falls with load. A batch that could not be written
 * because the database is unavailable is written with the next one.
 */
export class JobWorker implements AsyncDisposable {
  readonly #deps: JobWorkerDependencies
  readonly #name = `${hostname()}:${process.pid}`
  readonly #running = new Set<Running>()
  #ended: TicketedRun<EndedRun>[] = []
  readonly #backlog: Backlog
  readonly #counts = { succeeded: 0, failed: 0, retried: 0 }
  readonly #timers: NodeJS.Timeout[]
  #woken = false
  #turning: Promise<void> | undefined
  #down = false
  #lookedAt = 0
  /** Ends are written one by one, since together they could not be. */
  #singly = false
  #taking = true
  #closing: Promise<void> | undefined

  constructor(deps: JobWorkerDependencies) {
    this.#deps = deps
    this.#backlog = new Backlog(deps.queue, deps.log)
    this.#timers = [setInterval(() => this.wake(), POLL_MS), setInterval(() => this.#renew(), RENEW_MS)]
    this.wake()
  }

  get stats(): JobWorkerStats {
    return { concurrency: this.#deps.concurrency, running: this.#running.size, ...this.#counts }
  }

  /** Signals that a job was queued or must stop. It is cheap enough to call for each job. */
  wake(): void {
    this.#woken = true
    // Not at once: what ends or comes in the same turn of the event loop is written together.
    this.#turning ??= new Promise<void>((resolve) => setImmediate(resolve))
      .then(() => this.#turns())
      .finally(() => {
        this.#turning = undefined
        if (this.#woken && !this.#down) this.wake()
      })
  }

  /** Takes no more jobs, and gives those that run some time; returns at once. */
  close(): void {
    this.#taking = false
    this.#closing ??= this.#end()
  }

  /** Resolves when all its jobs have ended or were given back. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close()
    await this.#closing
  }

  async #turns(): Promise<void> {
    const { log } = this.#deps
    try {
      while (this.#woken) {
        this.#woken = false
        await this.#stopCancelled()
        if (await this.#turn()) this.#woken = true
      }
      if (this.#down) log.info('jobs are run again')
      this.#down = false
    } catch (error) {
      // Nothing is lost: what has ended is still held, and the timer tries again.
      if (!isUnavailable(error)) log.error({ err: error }, `a turn of the worker failed: ${errorText(error)}`)
      else if (!this.#down) log.warn(`jobs wait for the database: ${errorText(error)}`)
      this.#down = true
    }
  }

  /** True when there may be more to write or to take. */
  async #turn(): Promise<boolean> {
    const { db, queue, concurrency, onChange } = this.#deps
    const room = this.#taking && !this.#singly ? concurrency - this.#running.size : 0
    const ended = this.#ended.splice(0, this.#singly ? 1 : Number.POSITIVE_INFINITY)
    if (ended.length === 0 && room <= 0) return false
    try {
      const turn = await exchangeRuns(db, queue, { ended, room, worker: this.#name, onChange })
      for (const run of turn.written) this.#count(run)
      for (const held of turn.started) this.#start(held)
      this.#counts.failed += turn.givenUp
      if (room > 0) this.#backlog.saw(turn.started.length === room)
      const wasSingly = this.#singly
      this.#singly &&= this.#ended.length > 0
      return turn.more || wasSingly
    } catch (error) {
      // One that cannot be written by itself is let go: its ticket is lost in time, and another attempt made.
      if (isUnavailable(error) || !this.#singly) this.#ended.unshift(...ended)
      this.#singly = !isUnavailable(error) && this.#ended.length > 0
      throw error
    }
  }

  #start({ run, ticket }: TicketedRun<StartedRun>): void {
    const { types, log } = this.#deps
    const { taskId, number, type } = run
    const running = { run, ticket, stop: new AbortController() }
    const began = performance.now()
    this.#running.add(running)
    log.debug({ taskId, run: number, type }, 'job started')
    void runJob(types, run, running.stop.signal, randomUUID).then((end) => {
      // A run that was given back is not awaited.
      if (!this.#running.delete(running)) return
      const ms = Math.round(performance.now() - began)
      log.info({ taskId, run: number, type, ms, error: end.error }, `job ${end.state}`)
      this.#ended.push({ run: end, ticket })
      this.wake()
    })
  }

  #count({ state, again }: EndedRun): void {
    if (state === 'succeeded') this.#counts.succeeded++
    else if (state === 'failed') this.#counts[again ? 'retried' : 'failed']++
  }

  async #stopCancelled(): Promise<void> {
    const running = [...this.#running]
    if (running.length === 0 || performance.now() - this.#lookedAt < LOOK_MS) return
    this.#lookedAt = performance.now()
    const places = await endedElsewhere(
      this.#deps.db,
      running.map(({ run }) => run),
    )
    for (const place of places) running[place]!.stop.abort(new Error('cancelled'))
  }

  #renew(): void {
    const tickets = [...this.#running, ...this.#ended].map(({ ticket }) => ticket)
    this.#deps.queue
      .renew(tickets)
      .catch((error) => this.#deps.log.debug(`no sign of life: ${errorText(error)}`))
  }

  async #end(): Promise<void> {
    const until = performance.now() + (this.#deps.graceMs ?? GRACE_MS)
    await this.#turning // It may be taking more.
    while (this.#running.size > 0 && performance.now() < until) await delay(RETRY_MS / 5)
    for (const { run, ticket, stop } of this.#running) {
      const { taskId, number } = run
      const again = { ticket: randomUUID(), delayMs: 0 }
      this.#ended.push({ run: { taskId, number, state: 'released', again }, ticket })
      stop.abort(new Error('the worker ended'))
    }
    this.#running.clear()
    const last = performance.now() + GIVE_BACK_MS
    for (;;) {
      this.wake()
      await this.#turning
      if (this.#ended.length === 0 || performance.now() > last) break
      await delay(RETRY_MS)
    }
    for (const timer of this.#timers) clearInterval(timer)
    await this.#turning
  }
}
