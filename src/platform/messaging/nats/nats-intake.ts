import { setTimeout as delay } from 'node:timers/promises'
import type { Consumer, JsMsg } from '@nats-io/jetstream'
import { unlessAborted } from '../../../core/abort.ts'
import { errorText } from '../../../core/errors.ts'
import { isBadData } from '../../database/sqlstate.ts'
import type { Logger } from '../../logging/logger.ts'
import type { Nats, NatsLink } from './nats.ts'
import type { NatsCounters } from './nats-counters.ts'
import type { StreamFinder, Streams } from './streams.ts'

/** How messages of a kind are understood and taken. */
export interface NatsReceiver<T> {
  /** What a message says; null when it is not for us. Throws an Error that says what is wrong with it. */
  read(payload: Uint8Array): T | null
  /**
   * Takes it; says whether it was new. `key` is the same whenever the same message comes, undefined where
   * that is unknown. When it throws, the message comes again, unless its values are what the database refuses.
   */
  take(message: T, key: string | undefined): Promise<boolean>
}

const ACK_WAIT_MS = 5_000
const RETRY_MS = 1_000
const CONSUMER_NOT_FOUND = 10_014

/**
 * Takes the messages of other services from `subject`. With JetStream a durable consumer, one for all
 * processes called `durable`, gives out one message at a time, so each is taken once and in order, also
 * what came while nobody was here. Without it the processes share the subject as a queue group.
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
  let isWaiting = false

  async function take(payload: Uint8Array, key?: string): Promise<Outcome> {
    let message: T | null
    try {
      message = receiver.read(payload)
    } catch (error) {
      counters.malformed++
      log.warn({ subject, key }, `a message from NATS was dropped: ${errorText(error)}`)
      return 'dropped'
    }
    try {
      if (message !== null && (await receiver.take(message, key))) counters.consumed++
      if (isWaiting) log.info('messages from NATS are taken again')
      isWaiting = false
      return 'taken'
    } catch (error) {
      // All others wait behind one that waits, and no time makes other values of its values.
      if (isBadData(error)) {
        counters.malformed++
        log.error({ subject, key, err: error }, 'a message from NATS could not be taken, and was dropped')
        return 'dropped'
      }
      if (!isWaiting) log.warn(`messages from NATS wait: ${errorText(error)}`)
      isWaiting = true
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
      // Another process gets it at once then, and not only when its time is over.
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
        log.debug(`NATS is listened to again: ${errorText(error)}`)
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

type Outcome = 'taken' | 'dropped' | 'failed'

function settle(message: JsMsg, outcome: Outcome): void {
  if (outcome === 'taken') message.ack()
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
      // One at a time in all processes: two messages about one currency are taken in their order.
      max_ack_pending: 1,
      ack_wait: ACK_WAIT_MS * 1_000_000,
    })
  }
}
