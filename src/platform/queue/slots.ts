import type { FetchOptions, Job } from 'pg-boss'
import { errorText } from '../../core/errors.ts'
import type { Logger } from '../logging/logger.ts'

/** Whether the last job of a group succeeded without trouble. */
export type Health = 'well' | 'in trouble'

/** How many jobs this process works on at a time, of groups that are well, and of any. */
const SLOTS = { well: 20, any: 10 }
/** How often claims of processes that died are given back. */
const RECOVER_MS = 15_000
/** How long jobs under way may go on when this stops, before their signal tells them. */
const GRACE_MS = 1_000

export interface Work<Data extends object> {
  fetch(options: FetchOptions): Promise<Job<Data>[]>
  recover(): Promise<void>
  make(job: Job<Data>, signal: AbortSignal): Promise<Health>
  /** How often it is looked for jobs that another process booked, or that have become due. */
  pollMs: number
  log: Logger
}

/**
 * Works on the jobs of a queue as slots become free. pg-boss's own workers take their next job when all
 * of a batch is done, or at the next poll; here one slow job holds nothing but its slot. Groups of which
 * the last job met trouble get some of the slots, so that the others are left however many of them hang.
 */
export class Slots<Data extends object> implements AsyncDisposable {
  readonly #work: Work<Data>
  readonly #running = { well: new Set<Promise<void>>(), any: new Set<Promise<void>>() }
  readonly #troubled = new Set<string>()
  readonly #stopping = new AbortController()
  readonly #aborting = new AbortController()
  readonly #recovery: NodeJS.Timeout
  readonly #loop: Promise<void>
  #wake = Promise.withResolvers<void>()

  constructor(work: Work<Data>) {
    this.#work = work
    const recover = () => void this.#guarded(() => work.recover())
    this.#recovery = setInterval(recover, RECOVER_MS).unref()
    recover()
    this.#loop = this.#follow()
  }

  /** Says that there may be jobs. */
  look(): void {
    this.#wake.resolve()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#recovery)
    this.#stopping.abort()
    this.look()
    await this.#loop
    const timer = setTimeout(() => this.#aborting.abort(), GRACE_MS)
    await Promise.all([...this.#running.well, ...this.#running.any])
    clearTimeout(timer)
  }

  async #follow(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      this.#wake = Promise.withResolvers()
      const timer = setTimeout(() => this.look(), this.#work.pollMs)
      await this.#guarded(async () => {
        while (await this.#take()) if (this.#stopping.signal.aborted) return
      })
      await this.#wake.promise
      clearTimeout(timer)
    }
  }

  /** Begins jobs that are due; true when there may be more of them for the slots that are left. */
  async #take(): Promise<boolean> {
    const troubled = [...this.#troubled]
    const some = await this.#fetch('well', troubled)
    return (troubled.length > 0 && (await this.#fetch('any', []))) || some
  }

  async #fetch(kind: 'well' | 'any', ignoreGroups: string[]): Promise<boolean> {
    const batchSize = SLOTS[kind] - this.#running[kind].size
    if (batchSize <= 0) return false
    const jobs = await this.#work.fetch({ batchSize, ignoreGroups })
    for (const job of jobs) this.#begin(job, this.#running[kind])
    return jobs.length > 0
  }

  #begin(job: Job<Data>, running: Set<Promise<void>>): void {
    const group = job.groupId ?? ''
    const work = this.#guarded(async () => {
      const health = await this.#work.make(job, this.#aborting.signal)
      if (health === 'well') this.#troubled.delete(group)
      else this.#troubled.add(group)
    }).finally(() => {
      running.delete(work)
      this.look()
    })
    running.add(work)
  }

  /** What fails here is tried again at the next poll, or when the claim of the job has lapsed. */
  async #guarded(run: () => Promise<void>): Promise<void> {
    try {
      await run()
    } catch (error) {
      this.#work.log.debug(`jobs wait: ${errorText(error)}`)
    }
  }
}
