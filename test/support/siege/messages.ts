import { setTimeout as delay } from 'node:timers/promises'
import { connect } from 'amqplib'
import pg from 'pg'
import { startBroker } from '../broker.ts'
import { startProxy } from '../proxy.ts'
import { mulberry32 } from '../random.ts'
import type { Process } from './siege.ts'

const SERVERS = 2
const QUEUE = 'siege'
/** So many are published before their confirmations are waited for. */
const PORTION = 100
const LONGEST_SILENCE_MS = 60_000

export interface MessageSiege {
  databaseUrl: string
  /** Starts one more server, which takes in messages from this queue. */
  start(settings: { RABBITMQ_URL: string; RABBITMQ_DURABLE_QUEUE: string }): Promise<Process>
  messages: number
  /** Of the servers' connections, and of the broker. */
  cuts: number
  restarts: number
  seed: number
}

export interface MessageSiegeReport {
  messages: number
  cuts: number
  restarts: number
  seconds: number
  lost: number
  doubled: number
  dead: number
}

/**
 * Messages with ids go through a RabbitMQ that is killed and restarted, to two servers whose connections
 * are cut; in the end the tasks are counted.
 */
export async function runMessageSiege(siege: MessageSiege): Promise<MessageSiegeReport> {
  const began = performance.now()
  const random = mulberry32(siege.seed)
  await using broker = await startBroker()
  await using proxy = await startProxy(broker.url, 5672)
  const settings = { RABBITMQ_URL: proxy.url, RABBITMQ_DURABLE_QUEUE: QUEUE }
  const servers = await Promise.all(Array.from({ length: SERVERS }, () => siege.start(settings)))
  const client = new pg.Client({ connectionString: siege.databaseUrl })
  await client.connect()
  const taken = async () => {
    const { rows } = await client.query<{ count: number }>('SELECT count(*)::int AS count FROM message_inbox')
    return rows[0]!.count
  }

  let cuts = 0
  let restarts = 0
  async function disturb(): Promise<void> {
    let silentSince = performance.now()
    for (let seen = -1, now = 0; now < siege.messages; now = await taken()) {
      if (now > seen) silentSince = performance.now()
      if (performance.now() - silentSince > LONGEST_SILENCE_MS)
        throw new Error(`${siege.messages - now} messages do not come`)
      seen = now
      // All are done before the last messages, so that each has something to lose.
      const part = now / (siege.messages * 0.95)
      if (restarts < siege.restarts && part * siege.restarts > restarts + 0.5) {
        await broker.restart(random() < 0.5 ? 'SIGKILL' : 'SIGTERM')
        restarts++
        silentSince = performance.now()
      } else if (cuts < siege.cuts && part * siege.cuts > cuts) {
        proxy.cut()
        cuts++
      }
      await delay(random() * 20)
    }
  }
  await Promise.all([produce(broker.url, siege.messages), disturb()])

  const { rows } = await client.query<{ title: string; count: number }>(
    'SELECT title, count(*)::int AS count FROM tasks GROUP BY title',
  )
  await client.end()
  for (const server of servers) await server.kill()
  return {
    messages: siege.messages,
    cuts,
    restarts,
    seconds: (performance.now() - began) / 1000,
    lost: siege.messages - rows.length,
    doubled: rows.reduce((total, { count }) => total + count - 1, 0),
    dead: await countDead(broker.url),
  }
}

/** Publishes messages, each again and again until it is confirmed. */
async function produce(url: string, count: number): Promise<void> {
  let confirmed = 0
  while (confirmed < count) {
    try {
      const model = await connect(url, { timeout: 2000 })
      model.on('error', () => {})
      const channel = await model.createConfirmChannel()
      channel.on('error', () => {})
      await channel.assertQueue(QUEUE, { durable: true, arguments: { 'x-queue-type': 'quorum' } })
      for (; confirmed < count; confirmed = Math.min(confirmed + PORTION, count)) {
        for (let i = confirmed; i < Math.min(confirmed + PORTION, count); i++) {
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
