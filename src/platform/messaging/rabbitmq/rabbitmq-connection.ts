import type { Socket } from 'node:net'
import type { ChannelModel } from 'amqplib'

/**
 * What the library does not see to of a connection. Its `close`, of a connection or a channel, waits for the
 * other side's answer, and where the connection is lost meanwhile for ever; its recovery waits with it, and
 * never tries again. So what is done on a connection is raced with its loss, and one that is of no use is
 * severed before the library gets to close it.
 */
export class RabbitMqConnection {
  readonly #model: ChannelModel
  readonly #closed: Promise<void>

  constructor(model: ChannelModel) {
    this.#model = model
    this.#closed = new Promise((resolve) => model.once('close', () => resolve()))
    // 'close' follows. While nobody listens, it would end the process.
    model.on('error', () => {})
  }

  /** Rejects when it is lost. */
  async lost(): Promise<never> {
    await this.#closed
    throw new Error('the connection was lost')
  }

  /** Ends it without a word; resolves when the library knows. */
  async sever(): Promise<void> {
    const { stream } = this.#model.connection as unknown as { stream: Socket }
    // Without an error the library would not notice.
    stream.destroy(new Error('given up'))
    await this.#closed
  }
}
