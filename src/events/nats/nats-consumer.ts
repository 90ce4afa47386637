import type { Database } from '../../platform/database/database.ts'
import {
  type Nats,
  type NatsCounters,
  OrderedPublisher,
  type OutgoingMessage,
  type StreamFinder,
} from '../../platform/messaging/nats/index.ts'
import type { EventConsumer } from '../event-consumers.ts'
import type { Frame } from '../frame.ts'
import { cloudEvent } from './cloud-event.ts'

export const NATS_CONSUMER = 'nats'

/**
 * Publishes every event below `taskwire.events`, and on `subject` the message that `plain` returns for some of them.
 * The cursor advances when JetStream has stored the events. While NATS is unavailable they wait.
 */
export function natsConsumer(deps: {
  db: Database
  nats: Nats
  streams: StreamFinder
  subject: string
  /** The `source` of our CloudEvents. */
  source: string
  plain: (event: Frame) => string | undefined
  counters: NatsCounters
}): EventConsumer {
  const { db, nats, streams, subject, source, plain, counters } = deps
  const events = new OrderedPublisher()
  const messages = new OrderedPublisher()

  function plainMessage(frame: Frame): OutgoingMessage[] {
    const payload = plain(frame)
    return payload === undefined ? [] : [{ id: frame.id, subject, payload, headers: {} }]
  }

  async function publish(frames: readonly Frame[], signal: AbortSignal): Promise<void> {
    // An event of a later release on the same database may have a type that we cannot render.
    const known = frames.filter(({ text }) => text !== '')
    const outgoing = known.map((frame) => cloudEvent(frame, source))
    const plainOutgoing = known.flatMap(plainMessage)
    for (;;) {
      const link = await nats.link(signal)
      try {
        const found = await streams.of(link)
        const target = (stream: 'events' | 'intake') =>
          found && { client: found.client, idPrefix: found[stream].idPrefix }
        await events.publish(link, target('events'), outgoing)
        await messages.publish(link, target('intake'), plainOutgoing)
        counters.published += outgoing.length
        return
      } catch (error) {
        streams.forget(link)
        // A lost connection is already logged. The rest is published on the next connection.
        if (!link.lost.aborted) throw error
      }
    }
  }

  return {
    name: NATS_CONSUMER,
    wanted: async () => true,
    async take(frames, advance, signal) {
      await publish(frames, signal)
      await advance(db)
    },
  }
}
