import { type ConfirmChannel, connect } from 'amqplib'
import { operator } from '../../src/core/actor.ts'
import { createTaskService, newTask } from '../../src/features/tasks/index.ts'
import { createExecutables, openTaskQueue } from '../../src/features/tasks/jobs/index.ts'
import { noopJob } from '../../src/features/tasks/jobs/types/noop.ts'
import { openDatabase } from '../../src/platform/database/database.ts'
import type { Logger } from '../../src/platform/logging/logger.ts'
import { openJobQueues } from '../../src/platform/queue/index.ts'

const DEFAULT_URL = 'amqp://127.0.0.1:5672'
const rabbitUrl = process.env.RABBITMQ_URL || DEFAULT_URL
const PORTION = 500
const quiet = { info() {}, warn() {}, error() {}, debug() {} } as unknown as Logger

/** A pair of queues of the bench's own, deleted in the end. */
export interface Queues extends AsyncDisposable {
  settings: { RABBITMQ_URL: string; RABBITMQ_QUEUE: string; RABBITMQ_DURABLE_QUEUE: string }
  /** Puts in `count` messages, with ids or without, and waits until RabbitMQ has them. */
  fill(queue: string, count: number, withIds: boolean): Promise<void>
}

export async function openQueues(): Promise<Queues> {
  const model = await connect(rabbitUrl)
  const channel: ConfirmChannel = await model.createConfirmChannel()
  const queue = `taskwire_bench_${process.pid}`
  const durable = `${queue}_durable`
  await channel.assertQueue(queue, { durable: false })
  await channel.assertQueue(durable, { durable: true, arguments: { 'x-queue-type': 'quorum' } })
  let number = 0
  return {
    settings: { RABBITMQ_URL: rabbitUrl, RABBITMQ_QUEUE: queue, RABBITMQ_DURABLE_QUEUE: durable },
    async fill(to, count, withIds) {
      for (let i = 0; i < count; i++) {
        const content = Buffer.from(JSON.stringify({ status: 'New', title: `Message ${i}` }))
        const messageId = withIds ? `bench ${number++}` : undefined
        channel.sendToQueue(to, content, { persistent: to === durable, ...(messageId && { messageId }) })
        if (i % PORTION === PORTION - 1) await channel.waitForConfirms()
      }
      await channel.waitForConfirms()
    },
    async [Symbol.asyncDispose]() {
      for (const name of [queue, durable]) {
        await channel.deleteQueue(name)
        await channel.deleteQueue(`${name}.dead`)
      }
      await model.close()
    },
  }
}

/** Queues `count` jobs that do nothing, as a server would that has no worker. */
export async function queueJobs(url: string, count: number): Promise<void> {
  await using db = openDatabase({ connectionString: url }, () => {})
  await using queues = await openJobQueues({ connectionString: url }, quiet)
  const executables = createExecutables([noopJob], await openTaskQueue(queues))
  const service = createTaskService(db, { executables })
  const task = newTask({ title: 'Nothing', job: { type: 'noop' } }, null)
  for (let left = count; left > 0; left -= PORTION) {
    const tasks = Array.from({ length: Math.min(left, PORTION) }, () => task)
    await service.createAll({ actor: operator }, tasks)
  }
}
