import { setTimeout as delay } from 'node:timers/promises'
import type { Consumer, JsMsg } from '@nats-io/jetstream'
import { unlessAborted } from '../../../core/abort.ts'
import { errorText } from '../../../core/errors.ts'
import { isBadData } from '../../database/sqlstate.ts'
import type { Logger } from '../../logging/logger.ts'
import type { Nats, NatsLink } from './nats.ts'
import type { NatsCounters } from './nats-counters.ts'
import type { StreamFinder, Streams } from './streams.ts'

/** Parses and processes the messages of one subject. */
export interface NatsReceiver<T> {
  /** Returns the parsed message, or null if it is not meant for us. Throws an Error that says what is invalid. */
  read(payload: Uint8Array): T | null
  /**
   * Processes a message and returns whether it was new. `key` is the same for every delivery of a message;
   * undefined without JetStream. If it throws, the message is retried, unless the database rejected its values.
   */
  take(message: T, key: string | undefined): Promise<boolean>
}

const ACK_WAIT_MS = 5_000
const RETRY_MS = 1_000
const CONSUMER_NOT_FOUND = 10_014

/**
 * Consumes the messages of other services from `subject`. With JetStream all processes share the durable consumer
 * `durable`, which delivers one message at a time. Each message is then processed in order, including those that
 * were published while no process was connected. Without JetStream the processes share the subject as a queue group.
 */
export function startNatsIntake<T>(deps: {
  nats: Nats
  streams: StreamFinder
  subject: string
  durable: string
  receiver: NatsReceiver<T>
  counters: NatsCounters
  log: Logger
}): AsyncDisposable & { isOpen(): boolean } {
  const { nats, streams, subject, durable, receiver, counters, log } = deps
  const stopping = new AbortController()
  const { signal } = stopping
  let isOpen = false
  let isRetrying = false

  async function take(payload: Uint8Array, key?: string): Promise<Outcome> {
    let message: T | null
    try {
      message = receiver.read(payload)
    } catch (error) {
      counters.malformed++
      log.warn({ subject, key }, `NATS message dropped: ${errorText(error)}`)
      return 'dropped'
    }
    try {
      if (message !== null && (await receiver.take(message, key))) counters.consumed++
      if (isRetrying) log.info('NATS messages are consumed again')
      isRetrying = false
      return 'done'
    } catch (error) {
      // A retry would fail again, and would block all messages behind this one.
      if (isBadData(error)) {
        counters.malformed++
        log.error({ subject, key, err: error }, 'NATS message could not be stored and was dropped')
        return 'dropped'
      }
      if (!isRetrying) log.warn(`NATS messages are being retried: ${errorText(error)}`)
      isRetrying = true
      return 'failed'
    }
  }

  async function consume(link: NatsLink, { manager, client, intake }: Streams): Promise<void> {
    await ensureConsumer(manager, intake.name, durable, subject)
    const consumer: Consumer = await client.consumers.get(intake.name, durable)
    const messages = await consumer.consume({ max_messages: 10, abort_on_missing_resource: true })
    const stop = () => messages.stop()
    const either = AbortSignal.any([link.lost, signal])
    either.addEventListener('abort', stop)
    if (either.aborted) stop()
    isOpen = true
    for await (const message of messages) {
      // Another process can then receive it at once instead of after the acknowledgement timeout.
      if (either.aborted) message.nak()
      else settle(message, await take(message.data, `${intake.name} ${intake.created} ${message.seq}`))
    }
  }

  async function share(link: NatsLink): Promise<void> {
    const subscription = link.connection.subscribe(subject, { queue: durable })
    const either = AbortSignal.any([link.lost, signal])
    const stop = () => subscription.unsubscribe()
    either.addEventListener('abort', stop)
    if (either.aborted) stop()
    await unlessAborted(link.connection.flush(), either)
    isOpen = true
    for await (const message of subscription) {
      while ((await take(message.data)) === 'failed' && !either.aborted) await pause()
    }
  }

  async function run(): Promise<void> {
    while (!signal.aborted) {
      try {
        const link = await nats.link(signal)
        const found = await streams.of(link)
        try {
          if (found) await consume(link, found)
          else await share(link)
        } finally {
          isOpen = false
          streams.forget(link)
        }
      } catch (error) {
        if (signal.aborted) return
        log.debug(`subscribing to NATS again: ${errorText(error)}`)
        await pause()
      }
    }
  }

  async function pause(): Promise<void> {
    await delay(RETRY_MS, undefined, { signal }).catch(() => {})
  }

  const running = run()
  return {
    isOpen: () => isOpen,
    async [Symbol.asyncDispose]() {
      stopping.abort()
      await running
    },
  }
}

type Outcome = 'done' | 'dropped' | 'failed'

function settle(message: JsMsg, outcome: Outcome): void {
  if (outcome === 'done') message.ack()
  else if (outcome === 'dropped') message.term()
  else message.nak(RETRY_MS)
}

async function ensureConsumer(
  manager: Streams['manager'],
  stream: string,
  durable: string,
  subject: string,
): Promise<void> {
  const { AckPolicy, DeliverPolicy } = await import('@nats-io/jetstream')
  try {
    await manager.consumers.info(stream, durable)
  } catch (error) {
    if ((error as { code?: number }).code !== CONSUMER_NOT_FOUND) throw error
    await manager.consumers.add(stream, {
      durable_name: durable,
      filter_subject: subject,
      ack_policy: AckPolicy.Explicit,
      deliver_policy: DeliverPolicy.New,
      // One at a time in all processes keeps messages in order.
      max_ack_pending: 1,
      ack_wait: ACK_WAIT_MS * 1_000_000,
    })
  }
}
