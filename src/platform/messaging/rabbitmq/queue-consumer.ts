import { setTimeout as delay } from 'node:timers/promises'
import type { ConfirmChannel, ConsumeMessage } from 'amqplib'
import { errorText, isUnavailable } from '../../../core/errors.ts'
import type { Logger } from '../../logging/logger.ts'
import { checkDead, publishDead } from './dead-letters.ts'

/** So many are written together, while as many more may be on their way. */
const BATCH = 200
const PREFETCH = 2 * BATCH
const RETRY_MS = { min: 100, max: 5_000 }

/** What the intake has done since it started. */
export interface IntakeCounts {
  received: number
  /** Tasks that were made. */
  created: number
  /** Messages that had been taken before. */
  duplicates: number
  /** Messages that went to a queue of dead letters. */
  dead: number
}

export interface ConsumerDependencies<Message> {
  log: Logger
  counts: IntakeCounts
  /** Throws an Error whose text says why a message cannot be a task. */
  read(message: { content: Buffer; messageId: unknown }): Message
  /** Makes tasks of messages, all or none; resolves to their ids, fewer if some had come before. */
  takeIn(messages: readonly Message[]): Promise<number[]>
}

interface Taken<Message> {
  delivery: ConsumeMessage
  message: Message
}

interface Dead {
  delivery: ConsumeMessage
  reason: string
}

/**
 * Takes messages of one queue, on one channel, in batches: what waits is written in one transaction and
 * acknowledged after its commit. Those that cannot be tasks go to the queue of dead letters by themselves.
 * While the database is away nothing is acknowledged, and so, past what was sent ahead, nothing comes.
 *
 * When the channel closes, RabbitMQ delivers again what was not acknowledged, so all of it is forgotten here.
 */
export class QueueConsumer<Message> {
  readonly #deps: ConsumerDependencies<Message>
  readonly #channel: ConfirmChannel
  readonly #queue: string
  #waiting: ConsumeMessage[] = []
  #working: Promise<void> | undefined
  readonly #burials = new Set<Promise<void>>()
  #tag: string | undefined
  #closed = false

  constructor(deps: ConsumerDependencies<Message>, channel: ConfirmChannel, queue: string) {
    this.#deps = deps
    this.#channel = channel
    this.#queue = queue
    channel.on('close', () => {
      this.#closed = true
      this.#waiting = []
    })
  }

  /** `onCancelled` hears that the queue was deleted, or moved. */
  async start(onCancelled: () => void): Promise<void> {
    await this.#channel.prefetch(PREFETCH)
    const { consumerTag } = await this.#channel.consume(this.#queue, (delivery) => {
      if (!delivery) return onCancelled()
      this.#deps.counts.received++
      this.#waiting.push(delivery)
      this.#working ??= this.#work().finally(() => {
        this.#working = undefined
      })
    })
    this.#tag = consumerTag
  }

  /** Takes no more messages, lets the batch at hand be acknowledged, and closes the channel. */
  async stop(): Promise<void> {
    if (this.#tag && !this.#closed) await this.#channel.cancel(this.#tag).catch(() => {})
    this.#waiting = []
    const { promise: late, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(() => {
      this.#closed = true
      resolve()
    }, RETRY_MS.max)
    // The acknowledgements are on their way until the channel is closed behind them.
    const closed = this.#ended().then(() => this.#channel.close())
    await Promise.race([closed.catch(() => {}), late])
    clearTimeout(timer)
  }

  async #ended(): Promise<void> {
    await this.#working
    await Promise.all(this.#burials)
  }

  async #work(): Promise<void> {
    // What has arrived in the same read of the socket is there after this.
    await new Promise((resolve) => setImmediate(resolve))
    while (this.#waiting.length > 0) await this.#take(this.#waiting.splice(0, BATCH))
  }

  async #take(deliveries: ConsumeMessage[]): Promise<void> {
    const good: Taken<Message>[] = []
    const bad: Dead[] = []
    for (const delivery of deliveries) {
      const { content, properties } = delivery
      try {
        const message = this.#deps.read({ content, messageId: properties.messageId })
        good.push({ delivery, message })
      } catch (error) {
        bad.push({ delivery, reason: errorText(error) })
      }
    }
    // Nobody waits for it: the good ones flow on.
    if (bad.length > 0) this.#bury(bad)
    await this.#write(good)
  }

  async #write(taken: Taken<Message>[]): Promise<void> {
    const { counts, takeIn, log } = this.#deps
    let wait = RETRY_MS.min
    while (taken.length > 0 && !this.#closed) {
      try {
        const taskIds = await takeIn(taken.map(({ message }) => message))
        const created = taskIds.length
        counts.created += created
        counts.duplicates += taken.length - created
        for (const { delivery } of taken) this.#acknowledge(delivery)
        log.info({ queue: this.#queue, created, messages: taken.length, taskIds }, 'messages taken in')
        return
      } catch (error) {
        if (isUnavailable(error)) {
          if (wait === RETRY_MS.min) log.warn(`messages wait for the database: ${errorText(error)}`)
          await delay(wait)
          wait = Math.min(wait * 2, RETRY_MS.max)
        } else if (taken.length > 1) {
          // One of them cannot be written; the others must not share its fate.
          for (const one of taken) await this.#write([one])
          return
        } else {
          log.error({ err: error, queue: this.#queue }, 'a message could not be written')
          this.#bury([{ delivery: taken[0]!.delivery, reason: `could not be written: ${errorText(error)}` }])
          return
        }
      }
    }
  }

  #bury(dead: readonly Dead[]): void {
    const burial = this.#buried(dead).finally(() => this.#burials.delete(burial))
    this.#burials.add(burial)
  }

  /** Hands them to the queue of dead letters, and acknowledges each when that has it for sure. */
  async #buried(dead: readonly Dead[]): Promise<void> {
    const { counts, log } = this.#deps
    try {
      await checkDead(this.#channel, this.#queue)
    } catch {
      return // The channel is closed with it, and they come again.
    }
    const one = async ({ delivery, reason }: Dead): Promise<void> => {
      let wait = RETRY_MS.min
      while (!this.#closed) {
        try {
          await publishDead(this.#channel, this.#queue, delivery, reason)
          counts.dead++
          this.#acknowledge(delivery)
          log.info(
            { queue: this.#queue, messageId: delivery.properties.messageId, reason },
            'message is dead',
          )
          return
        } catch (error) {
          log.debug(`a dead letter was not taken: ${errorText(error)}`)
          await delay(wait)
          wait = Math.min(wait * 2, RETRY_MS.max)
        }
      }
    }
    await Promise.all(dead.map(one))
  }

  #acknowledge(delivery: ConsumeMessage): void {
    if (this.#closed) return
    try {
      this.#channel.ack(delivery)
    } catch {
      // The channel is closing; what has been taken in is known by its id when it comes again.
    }
  }
}
