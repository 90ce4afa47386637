import { DomainError } from '../../core/errors.ts'
import type { Database } from '../../platform/database/database.ts'
import { installationId } from '../../platform/database/installation-id.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import { openNats } from '../../platform/messaging/nats/nats.ts'
import type { NatsCounters } from '../../platform/messaging/nats/nats-counters.ts'
import { type NatsReceiver, startNatsIntake } from '../../platform/messaging/nats/nats-intake.ts'
import { createStreamFinder } from '../../platform/messaging/nats/streams.ts'
import type { EventConsumer } from '../event-consumers.ts'
import type { Frame } from '../frame.ts'
import { consumerLag } from './consumer-lag.ts'
import { NATS_CONSUMER, natsConsumer } from './nats-consumer.ts'

/** NATS, as the rest of the server sees it. */
export interface Bus extends AsyncDisposable {
  /** What this process has counted so far. */
  readonly counters: Readonly<NatsCounters>
  /** How many event ids are not published yet. */
  lag(): Promise<number>
  /** Resolves while it can be used, else rejects with the reason. */
  ping(milliseconds: number): Promise<void>
  /** Publishes a message for other services; throws DomainError `unavailable` while that cannot be done. */
  publish(payload: string): Promise<void>
  /** Publishes every event; `plain` is the message for other services, where an event has one. */
  feed(plain: (event: Frame) => string | undefined): EventConsumer
  /** Takes the messages of other services from now on. */
  listen<T>(receiver: NatsReceiver<T>): AsyncDisposable
}

const PUBLISH_MS = 2_000

/** `subject` is where other services and we tell each other of rates. */
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
      if (intake && !intake.isOpen()) throw new Error('connected, but not listening yet')
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
        throw new DomainError('unavailable', 'NATS did not take the message; try again.', { cause: error })
      }
    },
    feed(plain) {
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
