import type { JetStreamClient, PubAck } from '@nats-io/jetstream'
import { unlessAborted } from '../../../core/abort.ts'
import type { NatsLink } from './nats.ts'

/** A message that tells of the event `id`. */
export interface OutgoingMessage {
  id: number
  subject: string
  payload: string
  headers: Record<string, string>
}

/** The stream that keeps the messages. */
export interface Target {
  client: JetStreamClient
  /** What the ids of our messages begin with there. */
  idPrefix: string
}

const ACK_MS = 5_000

/**
 * Publishes the messages of one stream, which come in the order of their ids: each is stored once, and
 * none before one with a smaller id. What was stored is remembered, so that after a failure only the rest
 * is published again; what was stored without our knowing is known to the stream by its id.
 */
export class OrderedPublisher {
  #stored = 0

  /** Resolves when all are stored; without a stream, when the server has taken all. */
  async publish(link: NatsLink, target: Target | undefined, messages: OutgoingMessage[]): Promise<void> {
    const fresh = messages.filter(({ id }) => id > this.#stored)
    if (fresh.length === 0) return
    if (target) await this.#store(link, target, fresh)
    else await this.#tell(link, fresh)
  }

  /**
   * All at once. Each names the one that must be the last in the stream (Nats-Expected-Last-Msg-Id), so
   * that none is stored when the one before it was not. Should somebody else publish to the same stream
   * in between, some are refused for it: from there on they go one by one.
   */
  async #store(link: NatsLink, target: Target, messages: OutgoingMessage[]): Promise<void> {
    const sent = messages.map((message, i) => send(link, target, message, messages[i - 1]))
    const outcomes = await unlessAborted(Promise.allSettled(sent), link.lost)
    const refused = outcomes.findIndex(({ status }) => status === 'rejected')
    const stored = messages[(refused === -1 ? messages.length : refused) - 1]
    if (stored) this.#stored = stored.id
    if (refused === -1) return
    for (const message of messages.slice(refused)) {
      await unlessAborted(send(link, target, message), link.lost)
      this.#stored = message.id
    }
  }

  async #tell({ connection, headers, lost }: NatsLink, messages: OutgoingMessage[]): Promise<void> {
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
  before?: OutgoingMessage,
): Promise<PubAck> {
  return client.publish(message.subject, message.payload, {
    msgID: idPrefix + message.id,
    headers: headers(message.headers),
    timeout: ACK_MS,
    ...(before && { expect: { lastMsgID: idPrefix + before.id } }),
  })
}
