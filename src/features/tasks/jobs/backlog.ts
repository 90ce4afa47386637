import { errorText } from '../../../core/errors.ts'
import type { Logger } from '../../../platform/logging/logger.ts'
import type { TaskQueue } from './task-queue.ts'

/** Number of consecutive turns at full capacity that count as a backlog. */
const TURNS = 20
const AGAIN_MS = 60_000

/** Has the queue's statistics renewed once a minute while there is a backlog; see TaskQueue.analyze. */
export class Backlog {
  readonly #queue: TaskQueue
  readonly #log: Logger
  #full = 0
  #analyzedAt = Number.NEGATIVE_INFINITY

  constructor(queue: TaskQueue, log: Logger) {
    this.#queue = queue
    this.#log = log
  }

  /** Records whether a turn took as many jobs as it had capacity for. */
  saw(wasFull: boolean): void {
    this.#full = wasFull ? this.#full + 1 : 0
    if (this.#full < TURNS || performance.now() - this.#analyzedAt < AGAIN_MS) return
    this.#full = 0
    this.#analyzedAt = performance.now()
    this.#queue.analyze().catch((error) => this.#log.debug(`no statistics: ${errorText(error)}`))
  }
}
