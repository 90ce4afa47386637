import { setTimeout as delay, setImmediate as yieldToOthers } from 'node:timers/promises'
import { errorText } from '../core/errors.ts'
import type { Database } from '../platform/database/database.ts'
import type { Logger } from '../platform/logging/logger.ts'
import { EVENT_AUDIENCE } from './audience.ts'
import { CommitBarrier } from './commit-barrier.ts'
import type { StoredEvent } from './event-types.ts'

/** How many events are read at once; with their data that is a few MiB at most. */
const BATCH = 500
/** Without subscribers only ids are read, to keep the position near the end of the table. */
const IDLE_BATCH = 10_000
/** How often the table is looked at without a wake-up, for what other processes wrote. */
const POLL_MS = { active: 200, idle: 1000 }

/** How long to wait before looking again whether a missing id has come. */
const GAP_WAIT_MS = { min: 1, max: 50 }

/** Maximum time in milliseconds that a reader of a page waits for events that are about to be published. */
const LOOK_MS = 1000

export type Listener = (events: readonly StoredEvent[]) => void | Promise<void>

/**
 * Reads committed events in id order and hands them to the listener.
 *
 * Ids are taken before commit, so a smaller id can become visible after a larger one. The relay
 * therefore never steps over a missing id until it knows that no transaction can still commit it
 * (see CommitBarrier): nothing is skipped, and every process sees the same order. That order agrees with
 * commit order wherever one change could have known of the other: a transaction that begins after
 * another's commit has the larger id, and changes of one row are numbered under the row's lock.
 */
export class Relay implements AsyncDisposable {
  readonly #db: Database
  readonly #log: Logger
  readonly #fence: CommitBarrier
  readonly #listener: Listener
  /** Every id up to here is settled: delivered, or never going to exist. */
  #position = 0
  #readers = 0
  #activated: Promise<void> | undefined
  /** Whether there may be something to read. */
  #woken = false
  /** Events that were passed to `wake` after their commit; they need not be read again. */
  #told: StoredEvent[] = []
  #running: Promise<void> | undefined
  #stepping: Promise<boolean> | undefined
  #gapWait = GAP_WAIT_MS.min
  #timer: NodeJS.Timeout | undefined
  #down = false
  #closed = false

  constructor(db: Database, log: Logger, listener: Listener) {
    this.#db = db
    this.#log = log
    this.#fence = new CommitBarrier(db)
    this.#listener = listener
  }

  /** Takes the end of the table as the position, once everything before it is settled. */
  async start(): Promise<void> {
    const { rows } = await this.#db.query<{ head: number }>({
      text: 'SELECT coalesce(max(id), 0) AS head FROM events',
    })
    const head = rows[0]!.head
    for (let waited = 1; !(await this.#fence.settled(head)); waited++) {
      if (waited % 1000 === 0) this.#log.warn('waiting for a transaction that has written events to end')
      await delay(5)
    }
    this.#position = head
    this.#schedule()
  }

  /**
   * Reads whole events for the listener for one more reader. Events committed after it resolves are
   * handed over.
   */
  async activate(): Promise<void> {
    if (this.#readers++ === 0) {
      // A step that began while idle reads ids only. It must not step over events that a new reader waits for, or
      // another reader that connects during the step.
      this.#activated = Promise.resolve(this.#stepping).then(
        () => this.#schedule(),
        () => this.#schedule(),
      )
    }
    await this.#activated
  }

  /** One reader less. When nobody listens only ids are read, now and then. */
  deactivate(): void {
    this.#readers--
  }

  /** Every event up to here has been handed over, or is being. */
  get position(): number {
    return this.#position
  }

  get #active(): boolean {
    return this.#readers > 0
  }

  get #hasWork(): boolean {
    return this.#woken || this.#told.length > 0
  }

  /**
   * Says that events were committed. Cheap, and safe to call for each commit. With `events`, all that one
   * transaction wrote and as they are in the table, nothing is read when they are the next ones.
   */
  wake(events?: readonly StoredEvent[]): void {
    if (events && this.#active && this.#told.length < BATCH) this.#told.push(...events)
    else this.#woken = true
    if (this.#active) this.#run()
  }

  /**
   * Resolves when the table has been looked at after this was called, or after a second: a transaction that
   * stays open holds up what comes behind it. Cheap when nothing has come.
   */
  async look(): Promise<void> {
    const timer = new AbortController()
    const late = delay(LOOK_MS, undefined, { signal: timer.signal }).catch(() => {})
    await Promise.race([this.#looked(), late])
    timer.abort()
  }

  async #looked(): Promise<void> {
    await this.#running
    this.#woken = true
    this.#run()
    await this.#running
  }

  /**
   * The ids beyond the position that are visible now: what a reader that joins must not get. Those
   * still in flight are not among them, so it gets them when they commit.
   */
  async visibleAhead(): Promise<Set<number>> {
    const { rows } = await this.#db.query<{ id: number }>({
      name: 'events-visible-ahead',
      text: 'SELECT id FROM events WHERE id > $1',
      values: [this.#position],
    })
    return new Set(rows.map(({ id }) => id))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    await this.#running
  }

  #schedule(): void {
    clearTimeout(this.#timer)
    if (this.#closed) return
    const wait = this.#active ? POLL_MS.active : POLL_MS.idle
    this.#timer = setTimeout(() => {
      this.#woken = true
      this.#run()
    }, wait)
  }

  #run(): void {
    if (this.#closed) return
    this.#running ??= this.#pump().finally(() => {
      this.#running = undefined
      if (this.#hasWork && this.#active && !this.#down) this.#run()
      else this.#schedule()
    })
  }

  async #pump(): Promise<void> {
    try {
      while (this.#hasWork && !this.#closed) {
        if (this.#told.length > 0) await this.#handOverTold()
        if (!this.#woken) continue
        this.#woken = false
        this.#stepping = this.#step(this.#active)
        if (await this.#stepping) this.#woken = true
      }
      if (this.#down) this.#log.info('events flow again')
      this.#down = false
    } catch (error) {
      // The next poll tries again; nothing is lost, the table has it all.
      if (!this.#down) this.#log.warn(`events wait for the database: ${errorText(error)}`)
      this.#down = true
    }
  }

  /**
   * Delivers the events passed to `wake` that follow the position without a gap. A transaction with a lower id may
   * still commit before the others, so they are read from the table later.
   */
  async #handOverTold(): Promise<void> {
    await yieldToOthers() // The writer gets its response before the event is delivered.
    const told = this.#told.splice(0).filter(({ id }) => id > this.#position)
    const gap = told.findIndex(({ id }, i) => id !== this.#position + 1 + i)
    if (gap !== -1) this.#woken = true
    const ready = gap === -1 ? told : told.slice(0, gap)
    if (ready.length === 0) return
    this.#position = ready.at(-1)!.id
    await this.#listener(ready)
  }

  /** Delivers what is ready; true when there is, or soon will be, more. */
  async #step(active: boolean): Promise<boolean> {
    const rows = await this.#read(active)
    let ready = 0
    let next = this.#position + 1
    for (const { id } of rows) {
      // The ids from `next` up to this one are missing; dead only if the fence says so.
      if (id !== next && id > this.#fence.bound + 1) break
      next = id + 1
      ready++
    }
    if (ready > 0) {
      this.#position = next - 1
      this.#gapWait = GAP_WAIT_MS.min
      if (active) await this.#listener(rows.slice(0, ready))
    }
    if (ready === rows.length) return rows.length === batchSize(active)
    // Most gaps are filled by the next read; only one that stays is worth asking for locks.
    if (ready === 0 && !(await this.#fence.settled(rows.at(-1)!.id))) {
      await delay(this.#gapWait)
      this.#gapWait = Math.min(this.#gapWait * 2, GAP_WAIT_MS.max)
    }
    return true
  }

  async #read(active: boolean): Promise<readonly StoredEvent[]> {
    const columns = active ? `id, type, at, ${EVENT_AUDIENCE} AS audience, data` : 'id'
    const { rows } = await this.#db.query<StoredEvent & object>({
      name: active ? 'events-after' : 'event-ids-after',
      text: `SELECT ${columns} FROM events WHERE id > $1 ORDER BY id LIMIT ${batchSize(active)}`,
      values: [this.#position],
    })
    return rows
  }
}

function batchSize(active: boolean): number {
  return active ? BATCH : IDLE_BATCH
}
