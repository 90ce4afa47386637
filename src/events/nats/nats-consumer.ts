import type { Database } from '../../platform/database/database.ts'
import type { Nats } from '../../platform/messaging/nats/nats.ts'
import type { NatsCounters } from '../../platform/messaging/nats/nats-counters.ts'
import { OrderedPublisher, type OutgoingMessage } from '../../platform/messaging/nats/ordered-publisher.ts'
import type { StreamFinder } from '../../platform/messaging/nats/streams.ts'
import type { EventConsumer } from '../event-consumers.ts'
import type { Frame } from '../frame.ts'
import { cloudEvent } from './cloud-event.ts'

export const NATS_CONSUMER = 'nats'

/**
 * Publishes every event below `taskwire.events`, and what `plain` makes of some of them on `subject`,
 * for readers who expect just that. The position advances when JetStream has stored them; while NATS is
 * away they wait.
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
    // A type of a later version on the same database has no text here.
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
        // Of a lost connection the log has been told; the rest is published on the next one.
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
