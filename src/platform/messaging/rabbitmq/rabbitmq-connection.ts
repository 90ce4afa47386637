import type { Socket } from 'node:net'
import type { ChannelModel } from 'amqplib'

/**
 * Works around amqplib. Its `close`, of a connection or a channel, waits for the response of the server. If the
 * connection is lost meanwhile, it waits forever, and so does its recovery, which then never reconnects. Therefore
 * work on a connection is raced with the loss of the connection, and an unusable connection is severed before
 * amqplib closes it.
 */
export class RabbitMqConnection {
  readonly #model: ChannelModel
  readonly #closed: Promise<void>

  constructor(model: ChannelModel) {
    this.#model = model
    this.#closed = new Promise((resolve) => model.once('close', () => resolve()))
    // 'close' follows. Without a listener 'error' would end the process.
    model.on('error', () => {})
  }

  /** Rejects when the connection is lost. */
  async lost(): Promise<never> {
    await this.#closed
    throw new Error('the connection was lost')
  }

  /** Destroys the socket; resolves when amqplib has noticed. */
  async sever(): Promise<void> {
    const { stream } = this.#model.connection as unknown as { stream: Socket }
    // Without an error amqplib would not notice.
    stream.destroy(new Error('given up'))
    await this.#closed
  }
}
