import type { ChannelModel } from 'amqplib'
import { errorText } from '../../../core/errors.ts'
import { deadLetterQueue } from './dead-letters.ts'
import { type ConsumerDependencies, type IntakeCounts, QueueConsumer } from './queue-consumer.ts'
import { DURABLE, declare, TRANSIENT } from './queues.ts'
import { RabbitMqConnection } from './rabbitmq-connection.ts'

const CONNECT_MS = 10_000
const HEARTBEAT_SECONDS = 10
const CLOSE_MS = 2_000
const BACKOFF = { initialDelay: 250, maxDelay: 10_000, factor: 2, jitter: 0.5 }

export interface RabbitMqIntake extends AsyncDisposable {
  /** Resolves if RabbitMQ is available, else rejects with the reason. */
  check(): Promise<void>
  counts: Readonly<IntakeCounts>
}

/**
 * Consumes messages from RabbitMQ and reconnects indefinitely. Returns without waiting for a connection. It logs
 * one WARN when RabbitMQ becomes unavailable and one INFO when it is available again.
 */
export async function startRabbitMqIntake<Message>(
  deps: Omit<ConsumerDependencies<Message>, 'counts'> & {
    url: string
    queue: string
    durableQueue: string | undefined
  },
): Promise<RabbitMqIntake> {
  const { log } = deps
  const { connect } = await import('amqplib')
  const counts: IntakeCounts = { received: 0, created: 0, duplicates: 0, deadLettered: 0 }
  const queues = [
    { name: deps.queue, options: TRANSIENT },
    ...(deps.durableQueue ? [{ name: deps.durableQueue, options: DURABLE }] : []),
  ]
  let consumers: QueueConsumer<Message>[] = []
  let downReason: Error | undefined = new Error('not connected yet')
  let isClosed = false
  let current: RabbitMqConnection | undefined

  async function setup(model: ChannelModel): Promise<void> {
    const link = new RabbitMqConnection(model)
    current = link
    consumers = []
    try {
      await Promise.race([prepare(model), link.lost()])
    } catch (error) {
      await link.sever()
      throw error
    }
  }

  async function prepare(model: ChannelModel): Promise<void> {
    // If a channel is lost the whole connection is replaced: nothing else uses it.
    const restart = () => {
      if (!isClosed) model.close().catch(() => {})
    }
    for (const { name, options } of queues) {
      await declare(model, name, options, log)
      await declare(model, deadLetterQueue(name), DURABLE, log)
      const channel = await model.createConfirmChannel()
      channel.on('error', (error) => log.warn(`RabbitMQ closed the channel of ${name}: ${errorText(error)}`))
      channel.on('close', restart)
      const consumer = new QueueConsumer({ ...deps, counts }, channel, name)
      await consumer.start(restart)
      consumers.push(consumer)
    }
  }

  const connection = await connect(withHeartbeat(deps.url), {
    timeout: CONNECT_MS,
    clientProperties: { connection_name: 'taskwire' },
    recovery: { ...BACKOFF, waitForConnect: false, setup },
  })
  let isFirst = true
  const lost = (error: Error) => {
    if (isClosed) return
    if (!downReason || isFirst) log.warn(`RabbitMQ is unavailable: ${errorText(error)}`)
    isFirst = false
    downReason = error
  }
  connection.on('connect', () => {
    if (downReason) log.info(isFirst ? 'RabbitMQ is connected' : 'RabbitMQ is available again')
    isFirst = false
    downReason = undefined
  })
  connection.on('disconnect', lost)
  connection.on('connect-failed', lost)
  connection.on('error', () => {}) // 'disconnect' follows.

  return {
    counts,
    async check() {
      if (downReason) throw downReason
    },
    async [Symbol.asyncDispose]() {
      isClosed = true
      await Promise.all(consumers.map((consumer) => consumer.stop()))
      const { promise: late, resolve } = Promise.withResolvers<void>()
      const timer = setTimeout(resolve, CLOSE_MS)
      await Promise.race([connection.close(), late])
      clearTimeout(timer)
      await current?.sever()
    },
  }
}

function withHeartbeat(url: string): string {
  const parsed = new URL(url)
  if (!parsed.searchParams.has('heartbeat')) parsed.searchParams.set('heartbeat', String(HEARTBEAT_SECONDS))
  return parsed.href
}
