import { errorText } from '../../core/errors.ts'
import type { Logger } from '../logging/logger.ts'
import type { ClaimedJob, JobQueue } from './job-queue.ts'

/** Whether the last job of a group succeeded. */
export type GroupHealth = 'healthy' | 'failing'

/** Number of jobs that this process runs at a time: of healthy groups, and of any group. */
const SLOTS = { healthy: 20, any: 10 }
/** How often the claims of dead processes are released. */
const RECOVER_MS = 15_000
/** How long running jobs may go on after a stop before their signal is aborted. */
const GRACE_MS = 1_000

export interface GroupSlotsOptions<Data extends object> {
  queue: Pick<JobQueue<Data>, 'fetch' | 'supervise'>
  run(job: ClaimedJob<Data>, signal: AbortSignal): Promise<GroupHealth>
  /** How often the queue is polled for jobs that other processes added or that have become due. */
  pollMs: number
  log: Logger
}

/**
 * Runs the jobs of a queue as slots become free. The workers of pg-boss fetch their next job only when all jobs of
 * a batch are done, or at the next poll; here a slow job occupies its own slot and no other. Failing groups can use
 * only some of the slots, so that any number of hanging jobs leaves slots to the healthy groups.
 */
export class GroupSlots<Data extends object> implements AsyncDisposable {
  readonly #options: GroupSlotsOptions<Data>
  readonly #running = { healthy: new Set<Promise<void>>(), any: new Set<Promise<void>>() }
  readonly #failing = new Set<string>()
  readonly #stopping = new AbortController()
  readonly #aborting = new AbortController()
  readonly #recovery: NodeJS.Timeout
  readonly #loop: Promise<void>
  #wake = Promise.withResolvers<void>()

  constructor(options: GroupSlotsOptions<Data>) {
    this.#options = options
    const recover = () => void this.#guarded(() => options.queue.supervise())
    this.#recovery = setInterval(recover, RECOVER_MS).unref()
    recover()
    this.#loop = this.#poll()
  }

  /** Polls the queue now. Call it after adding jobs. */
  wake(): void {
    this.#wake.resolve()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#recovery)
    this.#stopping.abort()
    this.wake()
    await this.#loop
    const timer = setTimeout(() => this.#aborting.abort(), GRACE_MS)
    await Promise.all([...this.#running.healthy, ...this.#running.any])
    clearTimeout(timer)
  }

  async #poll(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      this.#wake = Promise.withResolvers()
      const timer = setTimeout(() => this.wake(), this.#options.pollMs)
      await this.#guarded(async () => {
        while (await this.#startDue()) if (this.#stopping.signal.aborted) return
      })
      await this.#wake.promise
      clearTimeout(timer)
    }
  }

  /** Starts due jobs; returns true if there may be more of them for the free slots. */
  async #startDue(): Promise<boolean> {
    const failing = [...this.#failing]
    const some = await this.#fetch('healthy', failing)
    return (failing.length > 0 && (await this.#fetch('any', []))) || some
  }

  async #fetch(kind: 'healthy' | 'any', ignoreGroups: string[]): Promise<boolean> {
    const batchSize = SLOTS[kind] - this.#running[kind].size
    if (batchSize <= 0) return false
    const jobs = await this.#options.queue.fetch({ batchSize, ignoreGroups })
    for (const job of jobs) this.#start(job, this.#running[kind])
    return jobs.length > 0
  }

  #start(job: ClaimedJob<Data>, running: Set<Promise<void>>): void {
    const group = job.groupId ?? ''
    const work = this.#guarded(async () => {
      const health = await this.#options.run(job, this.#aborting.signal)
      if (health === 'healthy') this.#failing.delete(group)
      else this.#failing.add(group)
    }).finally(() => {
      running.delete(work)
      this.wake()
    })
    running.add(work)
  }

  /** Logs an error of `action`: the next poll retries it, or the expiry of the job's claim does. */
  async #guarded(action: () => Promise<void>): Promise<void> {
    try {
      await action()
    } catch (error) {
      this.#options.log.debug(`jobs wait: ${errorText(error)}`)
    }
  }
}
