import { DomainError } from '../../core/errors.ts'
import type { Database } from '../../platform/database/database.ts'
import { installationId } from '../../platform/database/installation-id.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import {
  createStreamFinder,
  type NatsCounters,
  type NatsReceiver,
  openNats,
  startNatsIntake,
} from '../../platform/messaging/nats/index.ts'
import type { EventConsumer } from '../event-consumers.ts'
import type { Frame } from '../frame.ts'
import { consumerLag } from './consumer-lag.ts'
import { NATS_CONSUMER, natsConsumer } from './nats-consumer.ts'

/** The connection to NATS: publishes events and messages, consumes the messages of other services. */
export interface Bus extends AsyncDisposable {
  /** Counters of this process. */
  readonly counters: Readonly<NatsCounters>
  /** Returns the number of event ids that are not published yet. */
  lag(): Promise<number>
  /** Resolves if NATS is available, else rejects with the reason. */
  ping(milliseconds: number): Promise<void>
  /** Publishes a message for other services; throws DomainError `unavailable` if NATS does not accept it. */
  publish(payload: string): Promise<void>
  /**
   * Returns the consumer that publishes every event. `plain` builds the message for other services, for events that
   * have one.
   */
  consumer(plain: (event: Frame) => string | undefined): EventConsumer
  /** Starts to consume the messages of other services. */
  listen<T>(receiver: NatsReceiver<T>): AsyncDisposable
}

const PUBLISH_MS = 2_000

/** `subject`: where we and other services exchange messages. */
export async function openBus(options: {
  url: string
  subject: string
  db: Database
  log: Logger
}): Promise<Bus> {
  const { url, subject, db, log } = options
  const nats = await openNats(url, log)
  const installation = await installationId(db)
  const streams = createStreamFinder(subject, installation, log)
  const counters: NatsCounters = { published: 0, consumed: 0, malformed: 0 }
  let intake: ReturnType<typeof startNatsIntake> | undefined

  return {
    counters,
    lag: () => consumerLag(db, NATS_CONSUMER),
    async ping(milliseconds) {
      await nats.ping(milliseconds)
      if (intake && !intake.isOpen()) throw new Error('connected, but not subscribed yet')
    },
    async publish(payload) {
      const link = nats.present()
      try {
        const found = await streams.of(link)
        if (found) await found.client.publish(subject, payload, { timeout: PUBLISH_MS })
        else {
          link.connection.publish(subject, payload)
          await link.connection.flush()
        }
      } catch (error) {
        streams.forget(link)
        throw new DomainError('unavailable', 'NATS did not accept the message. Try again.', { cause: error })
      }
    },
    consumer(plain) {
      const source = `urn:uuid:${installation}`
      return natsConsumer({ db, nats, streams, subject, source, plain, counters })
    },
    listen(receiver) {
      const durable = `taskwire_${installation}`
      intake = startNatsIntake({ nats, streams, subject, durable, receiver, counters, log })
      return intake
    },
    [Symbol.asyncDispose]: () => nats[Symbol.asyncDispose](),
  }
}
