import { randomBytes } from 'node:crypto'
import { type ChannelModel, type ConfirmChannel, connect, type GetMessage, type Options } from 'amqplib'
import { startProxy, type TcpProxy } from './proxy.ts'

const DEFAULT_URL = 'amqp://127.0.0.1:5672'

/**
 * The RabbitMQ that tests use: `TEST_RABBITMQ_URL`, or one that listens on this machine; undefined, and said
 * so, where there is none. With `REQUIRE_SERVICES=1` that is an error.
 */
export const rabbitUrl = await reachableRabbit(process.env.TEST_RABBITMQ_URL || DEFAULT_URL)

async function reachableRabbit(url: string): Promise<string | undefined> {
  try {
    const model = await connect(url, { timeout: 2000 })
    await model.close()
    return url
  } catch (error) {
    const reason = `NOT COVERED: RabbitMQ (${error instanceof Error ? error.message : error}); TEST_RABBITMQ_URL can name one`
    if (process.env.REQUIRE_SERVICES === '1') throw new Error(reason)
    process.stderr.write(`${reason}\n`)
    return undefined
  }
}

/** Queues of a test's own, and a producer. */
export interface TestRabbit extends AsyncDisposable {
  url: string
  /** A transient queue and a durable one. */
  queue: string
  durableQueue: string
  model: ChannelModel
  channel: ConfirmChannel
  /** What a server needs to take in from both queues. */
  settings: Record<string, string>
  /** Publishes, to the transient queue unless another is named, and waits until RabbitMQ has them all. */
  publish(
    contents: readonly (object | string | Buffer)[],
    options?: Options.Publish,
    queue?: string,
  ): Promise<void>
  /** Takes what is in the queue of dead letters of a queue. */
  dead(queue?: string): Promise<GetMessage[]>
  /** How many messages wait in a queue. */
  depth(queue?: string): Promise<number>
}

export async function openTestRabbit(): Promise<TestRabbit> {
  if (!rabbitUrl) throw new Error('this needs RabbitMQ')
  const model: ChannelModel = await connect(rabbitUrl)
  const channel = await model.createConfirmChannel()
  const queue = `taskwire_test_${randomBytes(6).toString('hex')}`
  const durableQueue = `${queue}_durable`
  // As document C's producer does it: whichever side comes first.
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

/** A TCP proxy in front of RabbitMQ, by which it is away for one test and not for the others. */
export function startRabbitProxy(): Promise<TcpProxy> {
  return startProxy(rabbitUrl!, 5672)
}
