import { setTimeout as delay } from 'node:timers/promises'
import { connect } from 'amqplib'
import pg from 'pg'
import { startBroker } from '../broker.ts'
import { startProxy } from '../proxy.ts'
import { mulberry32 } from '../random.ts'
import type { Process } from './job-faults.ts'

const SERVERS = 2
const QUEUE = 'message-faults'
/** Number of messages that are published before their confirmations are awaited. */
const BATCH = 100
const LONGEST_SILENCE_MS = 60_000

export interface MessageFaultsOptions {
  databaseUrl: string
  /** Starts another server, which consumes this queue. */
  start(settings: { RABBITMQ_URL: string; RABBITMQ_DURABLE_QUEUE: string }): Promise<Process>
  messages: number
  /** Number of cuts of the servers' connections. */
  cuts: number
  /** Number of restarts of RabbitMQ. */
  restarts: number
  seed: number
}

export interface MessageFaultsReport {
  messages: number
  cuts: number
  restarts: number
  seconds: number
  lost: number
  doubled: number
  dead: number
}

/**
 * Publishes messages with ids to a RabbitMQ that is restarted, while the connections of two consuming servers are cut.
 * Reports lost and duplicated tasks.
 */
export async function runMessageFaults(options: MessageFaultsOptions): Promise<MessageFaultsReport> {
  const began = performance.now()
  const random = mulberry32(options.seed)
  await using broker = await startBroker()
  await using proxy = await startProxy(broker.url, 5672)
  const settings = { RABBITMQ_URL: proxy.url, RABBITMQ_DURABLE_QUEUE: QUEUE }
  const servers = await Promise.all(Array.from({ length: SERVERS }, () => options.start(settings)))
  const client = new pg.Client({ connectionString: options.databaseUrl })
  await client.connect()
  const consumed = async () => {
    const { rows } = await client.query<{ count: number }>('SELECT count(*)::int AS count FROM message_inbox')
    return rows[0]!.count
  }

  let cuts = 0
  let restarts = 0
  async function disturb(): Promise<void> {
    let silentSince = performance.now()
    for (let seen = -1, now = 0; now < options.messages; now = await consumed()) {
      if (now > seen) silentSince = performance.now()
      if (performance.now() - silentSince > LONGEST_SILENCE_MS)
        throw new Error(`${options.messages - now} messages do not arrive`)
      seen = now
      // All faults happen before the last 5 % of the messages, so that each can lose some.
      const part = now / (options.messages * 0.95)
      if (restarts < options.restarts && part * options.restarts > restarts + 0.5) {
        await broker.restart(random() < 0.5 ? 'SIGKILL' : 'SIGTERM')
        restarts++
        silentSince = performance.now()
      } else if (cuts < options.cuts && part * options.cuts > cuts) {
        proxy.cut()
        cuts++
      }
      await delay(random() * 20)
    }
  }
  await Promise.all([produce(broker.url, options.messages), disturb()])

  const { rows } = await client.query<{ title: string; count: number }>(
    'SELECT title, count(*)::int AS count FROM tasks GROUP BY title',
  )
  await client.end()
  for (const server of servers) await server.kill()
  return {
    messages: options.messages,
    cuts,
    restarts,
    seconds: (performance.now() - began) / 1000,
    lost: options.messages - rows.length,
    doubled: rows.reduce((total, { count }) => total + count - 1, 0),
    dead: await countDead(broker.url),
  }
}

/** Publishes messages and repeats each until it is confirmed. */
async function produce(url: string, count: number): Promise<void> {
  let confirmed = 0
  while (confirmed < count) {
    try {
      const model = await connect(url, { timeout: 2000 })
      model.on('error', () => {})
      const channel = await model.createConfirmChannel()
      channel.on('error', () => {})
      await channel.assertQueue(QUEUE, { durable: true, arguments: { 'x-queue-type': 'quorum' } })
      for (; confirmed < count; confirmed = Math.min(confirmed + BATCH, count)) {
        for (let i = confirmed; i < Math.min(confirmed + BATCH, count); i++) {
          const content = Buffer.from(JSON.stringify({ status: 'New', title: String(i) }))
          channel.sendToQueue(QUEUE, content, { persistent: true, messageId: String(i) })
        }
        await channel.waitForConfirms()
      }
      await model.close()
    } catch {
      await delay(100)
    }
  }
}

async function countDead(url: string): Promise<number> {
  const model = await connect(url)
  const channel = await model.createChannel()
  const { messageCount } = await channel.checkQueue(`${QUEUE}.dead`)
  await model.close()
  return messageCount
}
