import { randomBytes } from 'node:crypto'
import { type ChannelModel, type ConfirmChannel, connect, type GetMessage, type Options } from 'amqplib'
import { startProxy, type TcpProxy } from './proxy.ts'

const DEFAULT_URL = 'amqp://127.0.0.1:5672'

/**
 * URL of the RabbitMQ that tests use: `TEST_RABBITMQ_URL`, or one on this machine. It is undefined, which is reported,
 * if none is reachable; with `REQUIRE_SERVICES=1` that is an error.
 */
export const rabbitUrl = await reachableRabbit(process.env.TEST_RABBITMQ_URL || DEFAULT_URL)

async function reachableRabbit(url: string): Promise<string | undefined> {
  try {
    const model = await connect(url, { timeout: 2000 })
    await model.close()
    return url
  } catch (error) {
    const reason = `NOT COVERED: RabbitMQ (${error instanceof Error ? error.message : error}); set TEST_RABBITMQ_URL`
    if (process.env.REQUIRE_SERVICES === '1') throw new Error(reason)
    process.stderr.write(`${reason}\n`)
    return undefined
  }
}

/** Queues that belong to one test, and a producer. */
export interface TestRabbit extends AsyncDisposable {
  url: string
  /** A transient queue and a durable one. */
  queue: string
  durableQueue: string
  model: ChannelModel
  channel: ConfirmChannel
  /** Settings of a server that consumes both queues. */
  settings: Record<string, string>
  /** Publishes to a queue, by default the transient one, and waits until RabbitMQ has confirmed all messages. */
  publish(
    contents: readonly (object | string | Buffer)[],
    options?: Options.Publish,
    queue?: string,
  ): Promise<void>
  /** Removes and returns the messages in the dead-letter queue of a queue. */
  dead(queue?: string): Promise<GetMessage[]>
  /** Returns the number of messages that wait in a queue. */
  depth(queue?: string): Promise<number>
}

export async function openTestRabbit(): Promise<TestRabbit> {
  if (!rabbitUrl) throw new Error('this needs RabbitMQ')
  const model: ChannelModel = await connect(rabbitUrl)
  const channel = await model.createConfirmChannel()
  const queue = `taskwire_test_${randomBytes(6).toString('hex')}`
  const durableQueue = `${queue}_durable`
  // Document C's producer declares its queue too, whichever side starts first.
  await channel.assertQueue(queue, { durable: false })
  await channel.assertQueue(durableQueue, { durable: true, arguments: { 'x-queue-type': 'quorum' } })
  return {
    url: rabbitUrl,
    queue,
    durableQueue,
    model,
    channel,
    settings: { RABBITMQ_URL: rabbitUrl, RABBITMQ_QUEUE: queue, RABBITMQ_DURABLE_QUEUE: durableQueue },
    async publish(contents, options, to = queue) {
      for (const content of contents) {
        const bytes = Buffer.isBuffer(content)
          ? content
          : Buffer.from(typeof content === 'string' ? content : JSON.stringify(content))
        channel.sendToQueue(to, bytes, options)
      }
      await channel.waitForConfirms()
    },
    async dead(of = queue) {
      const messages: GetMessage[] = []
      for (;;) {
        const message = await channel.get(`${of}.dead`, { noAck: true })
        if (!message) return messages
        messages.push(message)
      }
    },
    async depth(of = queue) {
      return (await channel.checkQueue(of)).messageCount
    },
    async [Symbol.asyncDispose]() {
      for (const name of [queue, durableQueue]) {
        await channel.deleteQueue(name)
        await channel.deleteQueue(`${name}.dead`)
      }
      await model.close()
    },
  }
}

/** Starts a TCP proxy in front of RabbitMQ, which makes it unavailable for one test only. */
export function startRabbitProxy(): Promise<TcpProxy> {
  return startProxy(rabbitUrl!, 5672)
}
