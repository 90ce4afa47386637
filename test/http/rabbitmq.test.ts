import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../support/app.ts'
import { eventually } from '../support/eventually.ts'
import type { TaskWithJob } from '../support/jobs.ts'
import { openTestRabbit, rabbitUrl, type TestRabbit } from '../support/rabbitmq.ts'

describe.skipIf(!rabbitUrl)('messages from RabbitMQ', () => {
  let rabbit: TestRabbit
  let app: TestApp
  beforeAll(async () => {
    rabbit = await openTestRabbit()
    app = await startTestApp(rabbit.settings)
  })
  afterAll(async () => {
    await app[Symbol.asyncDispose]()
    await rabbit[Symbol.asyncDispose]()
  })
  beforeEach(async () => {
    await app.database.rows('DELETE FROM tasks')
  })

  const tasks = async () => (await app.fetch('/tasks?limit=1000')).body as TaskWithJob[]
  const tasksExist = (count: number) =>
    eventually(
      async () => {
        const all = await tasks()
        return all.length >= count ? all : undefined
      },
      `${count} tasks exist`,
      20_000,
    )

  test('{"status":"New"} creates an executable task, which is run', async () => {
    await rabbit.publish([{ status: 'New' }])
    const [task] = await tasksExist(1)
    expect(task).toMatchObject({ title: 'Untitled task', user_id: null, job: { type: 'noop' } })
    await eventually(async () => (await tasks())[0]!.status === 'done', 'it is done')
    expect(app.logged).toContainEqual(
      expect.objectContaining({ msg: 'messages stored', createdIds: [task!.id] }),
    )
  })

  test('a message accepts all fields of POST /tasks, and tasks are created in order', async () => {
    await rabbit.publish([
      {
        ...{ title: '  Report ', description: 'Monthly', city: 'Moscow', status: 'new' },
        ...{ priority: 'high', due_at: '2025-12-31T12:00:00+03:00', labels: ['home ', 'work', 'home'] },
      },
      { title: 'Try', job: { type: 'noop', input: { failures: 1 }, max_attempts: 1 } },
      {},
      { title: 'Elsewhere', status: 'done', priority: 'low', labels: ['work'] },
    ])
    const [report, tried, empty, elsewhere] = await tasksExist(4)
    expect(report).toMatchObject({
      ...{ title: 'Report', description: 'Monthly', city: 'Moscow' },
      ...{ priority: 'high', due_at: '2025-12-31T09:00:00.000000Z', labels: ['home', 'work'] },
    })
    expect(elsewhere).toMatchObject({ title: 'Elsewhere', priority: 'low', due_at: null, labels: ['work'] })
    expect(tried).toMatchObject({ title: 'Try', job: { max_attempts: 1, input: { failures: 1 } } })
    expect(empty).toMatchObject({ title: 'Untitled task' })
  })

  test('a message with another status creates a task without a job', async () => {
    await rabbit.publish([
      { status: 'Completed' },
      { status: 'In Progress' },
      { completed: true, title: 'x' },
    ])
    const all = await tasksExist(3)
    expect(all.map(({ status, job }) => [status, job])).toEqual([
      ['done', null],
      ['in_progress', null],
      ['done', null],
    ])
  })

  test('messages with the same id create one task, within a batch and across batches', async () => {
    await rabbit.publish([{ title: 'one' }, { title: 'one again' }], { messageId: 'same' })
    await tasksExist(1)
    await rabbit.publish([{ title: 'later' }], { messageId: 'same' })
    await rabbit.publish([{ title: 'to the other queue' }], { messageId: 'same' }, rabbit.durableQueue)
    await rabbit.publish([{ title: 'other' }], { messageId: 'other' })
    await rabbit.publish([{ title: 'none' }, { title: 'none' }])
    const all = await tasksExist(4)
    expect(all.map(({ title }) => title)).toEqual(['one', 'other', 'none', 'none'])
    await eventually(async () => (await rabbit.depth()) === 0, 'the queue is empty')
  })

  test('messages in the durable queue create tasks too', async () => {
    await rabbit.publish(
      [{ title: 'durable' }],
      { persistent: true, messageId: 'durable' },
      rabbit.durableQueue,
    )
    expect(await tasksExist(1)).toMatchObject([{ title: 'durable' }])
  })

  test.each([
    ['broken JSON', '{"title": ', 'not JSON'],
    ['nothing', '', 'empty'],
    ['bytes that are no text', Buffer.from([0x7b, 0xff, 0x7d]), 'not UTF-8'],
    ['an array', '[{"status":"New"}]', 'body must be an object'],
    ['a number', '7', 'body must be an object'],
    ['null', 'null', 'body must be an object'],
    [
      'an unknown status',
      { status: 'Unknown' },
      'body.status must be one of todo, in_progress, done, failed',
    ],
    ['a title of another type', { title: 1 }, 'body.title must be a string'],
    ['an empty title', { title: ' ' }, 'body.title must not be empty'],
    ['a long title', { title: 'x'.repeat(101) }, 'body.title must have at most 100 characters'],
    ['NUL in the title', { title: 'a\0' }, 'body.title must not contain NUL or half a surrogate pair'],
    ['an unknown field', { titel: 'x' }, 'body.titel is not a known field; did you mean title?'],
    ['an unknown job', { job: { type: 'dig' } }, 'body.job.type must be one of noop, http, import'],
    ['a job of a wrong input', { job: { type: 'http', input: {} } }, 'body.job.input.url is required'],
    [
      'a job that is done',
      { status: 'done', job: { type: 'noop' } },
      'body.status must be todo where there is a job',
    ],
    ['a contradiction', { status: 'done', completed: false }, 'body.completed contradicts status "done"'],
    ['a prototype', '{"__proto__": {"title": "x"}}', 'body.__proto__ is not a known field'],
    [
      'NUL in an input',
      { job: { type: 'http', input: { url: 'http://a', body: ['\0'] } } },
      'body.job.input must not contain NUL or half a surrogate pair',
    ],
    ['10 MB', Buffer.alloc(10_000_000, ' '), 'larger than 1048576 bytes'],
  ])('%s is dead-lettered with the reason', async (_name, content, reason) => {
    const options = {
      messageId: 'm',
      contentType: 'application/json',
      headers: { own: 'x' },
      correlationId: 'c',
    }
    await rabbit.publish([content], options)
    const [letter] = await eventually(async () => {
      const letters = await rabbit.dead()
      return letters.length > 0 ? letters : undefined
    }, 'it is dead-lettered')
    expect(letter!.properties).toMatchObject({ ...options, deliveryMode: 2 })
    expect(letter!.properties.headers).toMatchObject({
      'x-taskwire-reason': reason,
      'x-taskwire-queue': rabbit.queue,
      'x-taskwire-at': expect.stringMatching(/^\d{4}-.*Z$/),
    })
    const sent = typeof content === 'object' && !Buffer.isBuffer(content) ? JSON.stringify(content) : content
    expect(letter!.content.equals(Buffer.from(sent as string))).toBe(true)
    expect(await tasks()).toEqual([])
    await eventually(async () => (await rabbit.depth()) === 0, 'the queue is empty')
  })

  test('headers that are too large beside the reason are dropped', async () => {
    await rabbit.publish(['x'], { headers: { large: 'x'.repeat(65_400) } })
    const [letter] = await eventually(async () => {
      const letters = await rabbit.dead()
      return letters.length > 0 ? letters : undefined
    }, 'it is dead-lettered')
    expect(letter!.properties.headers).not.toHaveProperty('large')
    expect(letter!.properties.headers).toMatchObject({ 'x-taskwire-reason': 'not JSON' })
  })

  test('a thousand invalid messages are dead-lettered, the valid ones among them create tasks', async () => {
    const mixed = Array.from({ length: 1500 }, (_, i) => (i % 3 === 0 ? { title: `good ${i}` } : `bad ${i}`))
    await rabbit.publish(mixed)
    const all = await tasksExist(500)
    expect(all.map(({ title }) => title)).toEqual(
      mixed.flatMap((one) => (typeof one === 'object' ? [one.title] : [])),
    )
    const dead: string[] = []
    await eventually(async () => {
      for (const { content } of await rabbit.dead()) dead.push(String(content))
      return dead.length === 1000
    }, 'a thousand messages are dead-lettered')
    expect(new Set(dead)).toEqual(new Set(mixed.filter((one) => typeof one === 'string')))
    await eventually(async () => (await rabbit.depth()) === 0, 'the queue is empty')
  }, 60_000)

  test('GET /health/ready reports RabbitMQ as optional', async () => {
    expect((await app.fetch('/health/ready')).body.checks).toMatchObject({ rabbitmq: { status: 'up' } })
  })
})
