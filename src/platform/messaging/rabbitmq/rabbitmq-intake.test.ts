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

describe.skipIf(!rabbitUrl)('the intake', () => {
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
      // Told from a dead one within seconds.
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
      takeIn: (messages) => createTasksFromMessages(lab.database.db, lab, messages),
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
  const come = (count: number) =>
    eventually(async () => (await titles()).length >= count, `${count} tasks have come`, 30_000)
  const empty = () => eventually(async () => (await rabbit.depth()) === 0, 'the queue is empty')
  const said = (text: string) => logged.filter(({ msg }) => String(msg).startsWith(text)).length
  const numbered = (count: number, from = 0) => Array.from({ length: count }, (_, i) => `message ${from + i}`)
  /** Each with its title as its id. */
  const publish = async (all: string[], queue?: string) => {
    for (const title of all)
      await rabbit.channel.sendToQueue(queue ?? rabbit.queue, Buffer.from(JSON.stringify({ title })), {
        messageId: title,
        persistent: true,
      })
    await rabbit.channel.waitForConfirms()
  }

  test('RabbitMQ is away at the start: it is connected to when it comes', async () => {
    await proxy.refuse()
    const intake = await start()
    await expect(intake.check()).rejects.toThrow()
    await eventually(() => said('RabbitMQ is away') === 1, 'it says so')
    await publish(['waiting'])
    await proxy.restore()
    await come(1)
    await isUp(intake)
    expect(said('RabbitMQ is back')).toBe(1)
    // Once away and once back, however often it was tried.
    expect(said('RabbitMQ is')).toBe(2)
  })

  test('the connection is cut again and again: no message is lost, none makes two tasks', async () => {
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
        'some come',
        20_000,
      )
      proxy.cut()
    }
    await publishing
    await come(all.length)
    await empty()
    expect((await titles()).sort()).toEqual(all.sort())
    expect(intake.counts.created).toBe(all.length)
    expect(await rabbit.dead()).toEqual([])
    expect(logged.filter(({ level }) => Number(level) >= 50)).toEqual([])
  }, 60_000)

  test('the connection is cut between commit and acknowledgement: the message that comes again makes no task', async () => {
    let cuts = 0
    const intake = await start({
      async takeIn(messages) {
        const created = await createTasksFromMessages(lab.database.db, lab, messages)
        if (cuts++ < 3) proxy.cut()
        return created
      },
    })
    await publish(['a', 'b', 'c'])
    await eventually(() => intake.counts.duplicates >= 3, 'they have come again', 20_000)
    await empty()
    expect((await titles()).sort()).toEqual(['a', 'b', 'c'])
  })

  test('cut, refused and hung at moments of chance, those of its own beginnings among them, it comes back', async () => {
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
        await eventually(async () => (await titles()).includes(`round ${round}`), 'it has come', 20_000)
      }
    }
    await isUp(intake)
    expect(await titles()).toHaveLength(3)
  }, 60_000)

  test('a connection that is there but dead is given up and made anew', async () => {
    const intake = await start()
    await isUp(intake)
    proxy.hang()
    await eventually(() => said('RabbitMQ is away') === 1, 'it is noticed', 20_000)
    await publish(['after'])
    await proxy.restore()
    await come(1)
    await isUp(intake)
  })

  test('while the database is away nothing more is taken, and nothing is lost', async () => {
    await using databaseProxy = await startProxy(lab.database.url, 5432)
    await using db = openDatabase({ connectionString: databaseProxy.url }, () => {})
    const intake = await start({
      takeIn: (messages) => createTasksFromMessages(db, lab, messages),
    })
    await isUp(intake)
    await databaseProxy.refuse()
    const all = numbered(1000)
    await publish(all)
    await eventually(() => said('messages wait for the database') > 0, 'it waits')
    await eventually(() => intake.counts.received === 400, 'it has what was sent ahead')
    expect(await rabbit.depth()).toBe(600)
    expect(intake.counts).toMatchObject({ received: 400, created: 0, dead: 0 })
    await databaseProxy.restore()
    await come(1000)
    await empty()
    expect(await titles()).toEqual(all)
    expect(intake.counts).toMatchObject({ created: 1000, duplicates: 0, dead: 0 })
    await intake[Symbol.asyncDispose]()
  })

  test('one that cannot be written does not take the others of its batch with it', async () => {
    const intake = await start({
      async takeIn(messages: readonly TaskMessage[]) {
        if (messages.some(({ task }) => task.title === 'cursed')) throw new Error('no such thing')
        return await createTasksFromMessages(lab.database.db, lab, messages)
      },
    })
    await publish([...numbered(20), 'cursed', ...numbered(20, 20)])
    await come(40)
    await eventually(() => intake.counts.dead === 1, 'it is dead')
    const [letter] = await rabbit.dead()
    expect(letter!.properties.headers).toMatchObject({
      'x-taskwire-reason': 'could not be written: no such thing',
    })
    expect(await titles()).toEqual(numbered(40))
    await empty()
  })

  test('queues that are deleted under it are made again, those of dead letters too', async () => {
    const intake = await start()
    await isUp(intake)
    await rabbit.channel.deleteQueue(`${rabbit.queue}.dead`)
    await rabbit.publish(['bad'])
    await eventually(() => intake.counts.dead === 1, 'the bad one is dead', 20_000)
    expect((await rabbit.dead()).map(({ content }) => String(content))).toEqual(['bad'])
    await rabbit.channel.deleteQueue(rabbit.queue)
    const isThere = async () => {
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
    await eventually(isThere, 'the queue is there again', 20_000)
    await publish(['later'])
    await come(1)
  })

  test('a queue that was declared otherwise is used as it is', async () => {
    await rabbit.channel.deleteQueue(rabbit.queue)
    await rabbit.channel.assertQueue(rabbit.queue, { durable: true })
    const intake = await start()
    await publish(['one'])
    await come(1)
    await isUp(intake)
    expect(said(`the queue ${rabbit.queue} was declared otherwise`)).toBe(1)
  })

  test('a queue that cannot be used is tried again and again', async () => {
    const other = await connect(rabbitUrl!)
    const channel = await other.createChannel()
    const queue = `${rabbit.queue}_exclusive`
    await channel.assertQueue(queue, { exclusive: true })
    const intake = await start({ queue })
    await eventually(() => said('RabbitMQ is away: ') === 1, 'it cannot')
    await eventually(() => proxy.connections > 3, 'it tries again')
    await expect(intake.check()).rejects.toThrow(/exclusive|RESOURCE_LOCKED/i)
    await other.close()
    await isUp(intake)
    await publish(['one'], queue)
    await come(1)
    await rabbit.channel.deleteQueue(queue)
    await rabbit.channel.deleteQueue(`${queue}.dead`)
  })

  test('an end lets the batch at hand be written and acknowledged, and leaves the rest in the queue', async () => {
    const going = Promise.withResolvers<void>()
    const intake = await start({
      async takeIn(messages) {
        await going.promise
        return await createTasksFromMessages(lab.database.db, lab, messages)
      },
    })
    await publish(numbered(1000))
    await eventually(() => intake.counts.received === 400, 'they have come')
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
