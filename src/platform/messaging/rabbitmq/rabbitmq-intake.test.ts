import { setTimeout as delay } from 'node:timers/promises'
import { connect } from 'amqplib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { eventually } from '../../../../test/support/eventually.ts'
import { type JobLab, startJobLab } from '../../../../test/support/job-lab.ts'
import { logTo } from '../../../../test/support/log.ts'
import { startProxy, type TcpProxy } from '../../../../test/support/proxy.ts'
import {
  openTestRabbit,
  rabbitUrl,
  startRabbitProxy,
  type TestRabbit,
} from '../../../../test/support/rabbitmq.ts'
import type { CreateTask } from '../../../features/tasks/index.ts'
import { readMessage, type TaskMessage } from '../../../features/tasks/intake/message.ts'
import { createTasksFromMessages } from '../../../features/tasks/intake/task-messages.ts'
import { openDatabase } from '../../database/database.ts'
import { type RabbitMqIntake, startRabbitMqIntake } from './rabbitmq-intake.ts'

describe.skipIf(!rabbitUrl)('the RabbitMQ intake', () => {
  const stack: AsyncDisposable[] = []
  let rabbit: TestRabbit
  let lab: JobLab
  let proxy: TcpProxy
  let logged: Record<string, unknown>[]
  beforeEach(async () => {
    logged = []
    rabbit = await openTestRabbit()
    lab = await startJobLab()
    proxy = await startRabbitProxy()
    stack.push(rabbit, lab, proxy)
  })
  afterEach(async () => {
    for (const one of stack.splice(0).reverse()) await one[Symbol.asyncDispose]()
  })

  type Options = Parameters<typeof startRabbitMqIntake<TaskMessage>>[0]
  async function start(changes: Partial<Options> = {}): Promise<RabbitMqIntake> {
    const intake = await startRabbitMqIntake({
      // With this heartbeat a dead connection is detected within seconds.
      url: `${proxy.url}?heartbeat=1`,
      queue: rabbit.queue,
      durableQueue: rabbit.durableQueue,
      log: logTo(logged),
      read: (message) =>
        readMessage(
          message,
          (body) => ({ ...(body as CreateTask), job: { type: 'probe' } }),
          () => {},
        ),
      store: (messages) => createTasksFromMessages(lab.database.db, lab, messages),
      ...changes,
    })
    stack.push(intake)
    return intake
  }
  const isUp = (intake: RabbitMqIntake) =>
    eventually(
      () =>
        intake.check().then(
          () => true,
          () => false,
        ),
      'RabbitMQ is up',
      20_000,
    )
  const titles = async () =>
    (await lab.database.rows<{ title: string }>('SELECT title FROM tasks ORDER BY id')).map(
      ({ title }) => title,
    )
  const tasksExist = (count: number) =>
    eventually(async () => (await titles()).length >= count, `${count} tasks exist`, 30_000)
  const empty = () => eventually(async () => (await rabbit.depth()) === 0, 'the queue is empty')
  const said = (text: string) => logged.filter(({ msg }) => String(msg).startsWith(text)).length
  const numbered = (count: number, from = 0) => Array.from({ length: count }, (_, i) => `message ${from + i}`)
  /** Publishes messages whose id is their title. */
  const publish = async (all: string[], queue?: string) => {
    for (const title of all)
      await rabbit.channel.sendToQueue(queue ?? rabbit.queue, Buffer.from(JSON.stringify({ title })), {
        messageId: title,
        persistent: true,
      })
    await rabbit.channel.waitForConfirms()
  }

  test('connects when RabbitMQ becomes available after the start', async () => {
    await proxy.refuse()
    const intake = await start()
    await expect(intake.check()).rejects.toThrow()
    await eventually(() => said('RabbitMQ is unavailable') === 1, 'the warning is logged')
    await publish(['waiting'])
    await proxy.restore()
    await tasksExist(1)
    await isUp(intake)
    expect(said('RabbitMQ is available again')).toBe(1)
    // One line for the outage and one for its end, however many attempts there were.
    expect(said('RabbitMQ is')).toBe(2)
  })

  test('repeated connection losses lose no message and create no task twice', async () => {
    const intake = await start()
    await isUp(intake)
    const all = numbered(2000)
    const publishing = (async () => {
      for (let i = 0; i < all.length; i += 200) {
        await publish(all.slice(i, i + 100))
        await publish(all.slice(i + 100, i + 200), rabbit.durableQueue)
      }
    })()
    for (let cuts = 0; cuts < 5; cuts++) {
      const before = intake.counts.received
      await eventually(
        () => intake.counts.received > before + 50 || intake.counts.created >= all.length,
        'some messages arrive',
        20_000,
      )
      proxy.cut()
    }
    await publishing
    await tasksExist(all.length)
    await empty()
    expect((await titles()).sort()).toEqual(all.sort())
    expect(intake.counts.created).toBe(all.length)
    expect(await rabbit.dead()).toEqual([])
    expect(logged.filter(({ level }) => Number(level) >= 50)).toEqual([])
  }, 60_000)

  test('a message that is redelivered after a connection loss before its acknowledgement creates no second task', async () => {
    let cuts = 0
    const intake = await start({
      async store(messages) {
        const created = await createTasksFromMessages(lab.database.db, lab, messages)
        if (cuts++ < 3) proxy.cut()
        return created
      },
    })
    await publish(['a', 'b', 'c'])
    await eventually(() => intake.counts.duplicates >= 3, 'they are redelivered', 20_000)
    await empty()
    expect((await titles()).sort()).toEqual(['a', 'b', 'c'])
  })

  test('reconnects after cuts, refusals and hangs at random moments, also while it is connecting', async () => {
    const intake = await start()
    const chance = (milliseconds: number) => delay(Math.random() * milliseconds)
    for (let round = 0; round < 30; round++) {
      await chance(60)
      if (round % 3 === 0) await proxy.refuse()
      if (round % 3 === 1) proxy.hang()
      await chance(50)
      proxy.cut()
      await proxy.restore()
      if (round % 10 === 9) {
        await publish([`round ${round}`])
        await eventually(async () => (await titles()).includes(`round ${round}`), 'its task exists', 20_000)
      }
    }
    await isUp(intake)
    expect(await titles()).toHaveLength(3)
  }, 60_000)

  test('a connection without heartbeats is replaced', async () => {
    const intake = await start()
    await isUp(intake)
    proxy.hang()
    await eventually(() => said('RabbitMQ is unavailable') === 1, 'the loss is noticed', 20_000)
    await publish(['after'])
    await proxy.restore()
    await tasksExist(1)
    await isUp(intake)
  })

  test('while the database is unavailable the prefetch limit holds and no message is lost', async () => {
    await using databaseProxy = await startProxy(lab.database.url, 5432)
    await using db = openDatabase({ connectionString: databaseProxy.url }, () => {})
    const intake = await start({
      store: (messages) => createTasksFromMessages(db, lab, messages),
    })
    await isUp(intake)
    await databaseProxy.refuse()
    const all = numbered(1000)
    await publish(all)
    await eventually(() => said('messages wait for the database') > 0, 'the messages wait')
    await eventually(() => intake.counts.received === 400, 'the prefetched messages have arrived')
    expect(await rabbit.depth()).toBe(600)
    expect(intake.counts).toMatchObject({ received: 400, created: 0, deadLettered: 0 })
    await databaseProxy.restore()
    await tasksExist(1000)
    await empty()
    expect(await titles()).toEqual(all)
    expect(intake.counts).toMatchObject({ created: 1000, duplicates: 0, deadLettered: 0 })
    await intake[Symbol.asyncDispose]()
  })

  test('a message that cannot be stored is dead-lettered, the others of its batch are stored', async () => {
    const intake = await start({
      async store(messages: readonly TaskMessage[]) {
        if (messages.some(({ task }) => task.title === 'cursed')) throw new Error('no such thing')
        return await createTasksFromMessages(lab.database.db, lab, messages)
      },
    })
    await publish([...numbered(20), 'cursed', ...numbered(20, 20)])
    await tasksExist(40)
    await eventually(() => intake.counts.deadLettered === 1, 'it is dead-lettered')
    const [letter] = await rabbit.dead()
    expect(letter!.properties.headers).toMatchObject({
      'x-taskwire-reason': 'could not be stored: no such thing',
    })
    expect(await titles()).toEqual(numbered(40))
    await empty()
  })

  test('deleted queues and dead-letter queues are declared again', async () => {
    const intake = await start()
    await isUp(intake)
    await rabbit.channel.deleteQueue(`${rabbit.queue}.dead`)
    await rabbit.publish(['bad'])
    await eventually(() => intake.counts.deadLettered === 1, 'the invalid message is dead-lettered', 20_000)
    expect((await rabbit.dead()).map(({ content }) => String(content))).toEqual(['bad'])
    await rabbit.channel.deleteQueue(rabbit.queue)
    const exists = async () => {
      const probe = await rabbit.model.createChannel()
      probe.on('error', () => {})
      return probe.checkQueue(rabbit.queue).then(
        async ({ consumerCount }) => {
          await probe.close()
          return consumerCount === 1
        },
        () => false,
      )
    }
    await eventually(exists, 'the queue exists again', 20_000)
    await publish(['later'])
    await tasksExist(1)
  })

  test('a queue that exists with other options is used as it is', async () => {
    await rabbit.channel.deleteQueue(rabbit.queue)
    await rabbit.channel.assertQueue(rabbit.queue, { durable: true })
    const intake = await start()
    await publish(['one'])
    await tasksExist(1)
    await isUp(intake)
    expect(said(`queue ${rabbit.queue} exists with other options`)).toBe(1)
  })

  test('a queue that cannot be used is retried', async () => {
    const other = await connect(rabbitUrl!)
    const channel = await other.createChannel()
    const queue = `${rabbit.queue}_exclusive`
    await channel.assertQueue(queue, { exclusive: true })
    const intake = await start({ queue })
    await eventually(() => said('RabbitMQ is unavailable: ') === 1, 'the warning is logged')
    await eventually(() => proxy.connections > 3, 'it retries')
    await expect(intake.check()).rejects.toThrow(/exclusive|RESOURCE_LOCKED/i)
    await other.close()
    await isUp(intake)
    await publish(['one'], queue)
    await tasksExist(1)
    await rabbit.channel.deleteQueue(queue)
    await rabbit.channel.deleteQueue(`${queue}.dead`)
  })

  test('a stop lets the current batch be stored and acknowledged and leaves the rest in the queue', async () => {
    const going = Promise.withResolvers<void>()
    const intake = await start({
      async store(messages) {
        await going.promise
        return await createTasksFromMessages(lab.database.db, lab, messages)
      },
    })
    await publish(numbered(1000))
    await eventually(() => intake.counts.received === 400, 'the messages have arrived')
    const ended = intake[Symbol.asyncDispose]()
    going.resolve()
    await ended
    const { length } = await titles()
    expect(length).toBeGreaterThan(0)
    expect(length).toBeLessThanOrEqual(200)
    expect(await titles()).toEqual(numbered(length))
    await eventually(async () => (await rabbit.depth()) === 1000 - length, 'the rest is in the queue')
  })
})
