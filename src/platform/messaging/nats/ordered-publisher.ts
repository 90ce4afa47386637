import type { JetStreamClient, PubAck } from '@nats-io/jetstream'
import { unlessAborted } from '../../../core/abort.ts'
import type { NatsLink } from './nats.ts'

/** A message that is published for the event `id`. */
export interface OutgoingMessage {
  id: number
  subject: string
  payload: string
  headers: Record<string, string>
}

/** The stream that stores the messages. */
export interface Target {
  client: JetStreamClient
  /** Prefix of the ids of our messages in that stream. */
  idPrefix: string
}

const ACK_MS = 5_000

/**
 * Publishes messages to one stream in the order of their ids: each is stored once, and none before one with a
 * smaller id. It remembers the last stored id, so that only the rest is published again after a failure. If a
 * message was stored but its acknowledgement was lost, the stream recognizes the duplicate by its message id.
 */
export class OrderedPublisher {
  #stored = 0

  /** Resolves when all messages are stored or, without a stream, when the server has received them. */
  async publish(link: NatsLink, target: Target | undefined, messages: OutgoingMessage[]): Promise<void> {
    const fresh = messages.filter(({ id }) => id > this.#stored)
    if (fresh.length === 0) return
    if (target) await this.#store(link, target, fresh)
    else await this.#publishUnstored(link, fresh)
  }

  /**
   * Sends all messages at once. Each names its predecessor as the expected last message of the stream
   * (Nats-Expected-Last-Msg-Id), so that none is stored if its predecessor was not. If another client publishes to
   * the same stream in between, the server rejects some messages. From there on they are sent one by one.
   */
  async #store(link: NatsLink, target: Target, messages: OutgoingMessage[]): Promise<void> {
    const sent = messages.map((message, i) => send(link, target, message, messages[i - 1]))
    const outcomes = await unlessAborted(Promise.allSettled(sent), link.lost)
    const firstRejected = outcomes.findIndex(({ status }) => status === 'rejected')
    const stored = messages[(firstRejected === -1 ? messages.length : firstRejected) - 1]
    if (stored) this.#stored = stored.id
    if (firstRejected === -1) return
    for (const message of messages.slice(firstRejected)) {
      await unlessAborted(send(link, target, message), link.lost)
      this.#stored = message.id
    }
  }

  async #publishUnstored(
    { connection, headers, lost }: NatsLink,
    messages: OutgoingMessage[],
  ): Promise<void> {
    for (const message of messages)
      connection.publish(message.subject, message.payload, { headers: headers(message.headers) })
    await unlessAborted(connection.flush(), lost)
    this.#stored = messages.at(-1)!.id
  }
}

function send(
  { headers }: NatsLink,
  { client, idPrefix }: Target,
  message: OutgoingMessage,
  predecessor?: OutgoingMessage,
): Promise<PubAck> {
  return client.publish(message.subject, message.payload, {
    msgID: idPrefix + message.id,
    headers: headers(message.headers),
    timeout: ACK_MS,
    ...(predecessor && { expect: { lastMsgID: idPrefix + predecessor.id } }),
  })
}
