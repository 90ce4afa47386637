import { setTimeout as delay } from 'node:timers/promises'
import type { ConfirmChannel, ConsumeMessage } from 'amqplib'
import { errorText, isUnavailable } from '../../../core/errors.ts'
import type { Logger } from '../../logging/logger.ts'
import { checkDeadLetterQueue, publishDeadLetter } from './dead-letters.ts'

/** Number of messages that are stored together. As many more may be prefetched. */
const BATCH = 200
const PREFETCH = 2 * BATCH
const RETRY_MS = { min: 100, max: 5_000 }

/** Numbers of messages since the start. */
export interface IntakeCounts {
  received: number
  /** Messages that were new and were stored. */
  created: number
  /** Messages that had been stored before. */
  duplicates: number
  /** Messages that were moved to a dead-letter queue. */
  deadLettered: number
}

export interface ConsumerDependencies<Message> {
  log: Logger
  counts: IntakeCounts
  /** Parses a message. Throws an Error that says why it is invalid. */
  read(message: { content: Buffer; messageId: unknown }): Message
  /** Stores all messages or none; returns the ids of the rows, one for each message that was new. */
  store(messages: readonly Message[]): Promise<number[]>
}

interface Valid<Message> {
  delivery: ConsumeMessage
  message: Message
}

interface Rejected {
  delivery: ConsumeMessage
  reason: string
}

/**
 * Consumes one queue on one channel in batches: the waiting messages are stored in one transaction and acknowledged
 * after its commit. Invalid messages are moved to the dead-letter queue. While the database is unavailable nothing
 * is acknowledged, so RabbitMQ delivers no more than the prefetch limit.
 *
 * When the channel closes, RabbitMQ redelivers the unacknowledged messages, so all of them are dropped here.
 */
export class QueueConsumer<Message> {
  readonly #deps: ConsumerDependencies<Message>
  readonly #channel: ConfirmChannel
  readonly #queue: string
  #waiting: ConsumeMessage[] = []
  #working: Promise<void> | undefined
  readonly #deadLettering = new Set<Promise<void>>()
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

  /** `onCancelled` is called when the queue was deleted or moved. */
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

  /** Stops consuming, lets the current batch be stored and acknowledged, and closes the channel. */
  async stop(): Promise<void> {
    if (this.#tag && !this.#closed) await this.#channel.cancel(this.#tag).catch(() => {})
    this.#waiting = []
    const { promise: timeout, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(() => {
      this.#closed = true
      resolve()
    }, RETRY_MS.max)
    // Closing the channel flushes the acknowledgements that were sent before.
    const closed = this.#ended().then(() => this.#channel.close())
    await Promise.race([closed.catch(() => {}), timeout])
    clearTimeout(timer)
  }

  async #ended(): Promise<void> {
    await this.#working
    await Promise.all(this.#deadLettering)
  }

  async #work(): Promise<void> {
    // Collects all messages that arrived in the same read of the socket.
    await new Promise((resolve) => setImmediate(resolve))
    while (this.#waiting.length > 0) await this.#process(this.#waiting.splice(0, BATCH))
  }

  async #process(deliveries: ConsumeMessage[]): Promise<void> {
    const valid: Valid<Message>[] = []
    const rejected: Rejected[] = []
    for (const delivery of deliveries) {
      const { content, properties } = delivery
      try {
        const message = this.#deps.read({ content, messageId: properties.messageId })
        valid.push({ delivery, message })
      } catch (error) {
        rejected.push({ delivery, reason: errorText(error) })
      }
    }
    // Not awaited, so that invalid messages do not delay the valid ones.
    if (rejected.length > 0) this.#deadLetter(rejected)
    await this.#store(valid)
  }

  async #store(messages: Valid<Message>[]): Promise<void> {
    const { counts, store, log } = this.#deps
    let wait = RETRY_MS.min
    while (messages.length > 0 && !this.#closed) {
      try {
        const createdIds = await store(messages.map(({ message }) => message))
        const created = createdIds.length
        counts.created += created
        counts.duplicates += messages.length - created
        for (const { delivery } of messages) this.#acknowledge(delivery)
        log.info({ queue: this.#queue, created, messages: messages.length, createdIds }, 'messages stored')
        return
      } catch (error) {
        if (isUnavailable(error)) {
          if (wait === RETRY_MS.min) log.warn(`messages wait for the database: ${errorText(error)}`)
          await delay(wait)
          wait = Math.min(wait * 2, RETRY_MS.max)
        } else if (messages.length > 1) {
          // One of the messages cannot be stored. Stored one by one, the others succeed.
          for (const one of messages) await this.#store([one])
          return
        } else {
          log.error({ err: error, queue: this.#queue }, 'message could not be stored')
          this.#deadLetter([
            { delivery: messages[0]!.delivery, reason: `could not be stored: ${errorText(error)}` },
          ])
          return
        }
      }
    }
  }

  #deadLetter(rejected: readonly Rejected[]): void {
    const work = this.#publishDeadLetters(rejected).finally(() => this.#deadLettering.delete(work))
    this.#deadLettering.add(work)
  }

  /** Publishes messages to the dead-letter queue and acknowledges each once RabbitMQ has confirmed the copy. */
  async #publishDeadLetters(rejected: readonly Rejected[]): Promise<void> {
    const { counts, log } = this.#deps
    try {
      await checkDeadLetterQueue(this.#channel, this.#queue)
    } catch {
      return // RabbitMQ has closed the channel and redelivers the messages.
    }
    const one = async ({ delivery, reason }: Rejected): Promise<void> => {
      let wait = RETRY_MS.min
      while (!this.#closed) {
        try {
          await publishDeadLetter(this.#channel, this.#queue, delivery, reason)
          counts.deadLettered++
          this.#acknowledge(delivery)
          log.info(
            { queue: this.#queue, messageId: delivery.properties.messageId, reason },
            'message dead-lettered',
          )
          return
        } catch (error) {
          log.debug(`dead letter not confirmed, retrying: ${errorText(error)}`)
          await delay(wait)
          wait = Math.min(wait * 2, RETRY_MS.max)
        }
      }
    }
    await Promise.all(rejected.map(one))
  }

  #acknowledge(delivery: ConsumeMessage): void {
    if (this.#closed) return
    try {
      this.#channel.ack(delivery)
    } catch {
      // The channel is closing. A redelivered message that has an id is recognized as a duplicate.
    }
  }
}
