import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { connect } from 'amqplib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { listen } from '../support/listener.ts'
import { pythonWithPika as python } from '../support/python.ts'
import { rabbitUrl } from '../support/rabbitmq.ts'
import { type Server, startServer, stop } from '../support/server.ts'

/** The queue name in the producer. */
const QUEUE = 'task_queue'

interface Task {
  id: number
  status: string
  created_at: string
  updated_at: string | null
}

const settings = { STATUS_LABELS: 'title', RABBITMQ_URL: rabbitUrl! }
const get = async ({ url }: Server, path: string) => (await (await fetch(`${url}${path}`)).json()) as Task[]

async function deleteQueues(): Promise<void> {
  const model = await connect(rabbitUrl!)
  const channel = await model.createChannel()
  for (const queue of [QUEUE, `${QUEUE}.dead`]) await channel.deleteQueue(queue)
  await model.close()
}

async function produce(times: number): Promise<void> {
  const { hostname, port } = new URL(rabbitUrl!)
  const folder = join(import.meta.dirname, 'document-c')
  const env = {
    RABBITMQ_HOST: hostname,
    RABBITMQ_PORT: port || '5672',
    TIMES: String(times),
    PYTHONDONTWRITEBYTECODE: '1',
  }
  await promisify(execFile)(python!, [join(folder, 'run.py')], { env: { PATH: process.env.PATH, ...env } })
}

describe.skipIf(!rabbitUrl || !python)('the producer of document C, verbatim', () => {
  beforeEach(deleteQueues)
  afterEach(deleteQueues)

  test('each message creates a task that is done, before the first start and after it', async () => {
    await produce(2) // It declares the queue, and the messages wait.
    const server = await startServer(settings)
    await eventually(
      async () => (await get(server, '/tasks?status=Completed')).length === 2,
      'two are done',
      20_000,
    )
    const listener = await listen(`${server.ws}/ws/tasks`)
    await produce(3)
    await eventually(
      async () => (await get(server, '/tasks?status=Completed')).length === 5,
      'five are done',
      20_000,
    )
    await eventually(() => listener.events.length >= 9, 'all their steps are published')
    const steps = listener.events.map(({ type, data }) => `${type} ${data.task?.status}`)
    for (const step of ['task_created New', 'task_updated In Progress', 'task_updated Completed'])
      expect(steps.filter((one) => one === step)).toHaveLength(3)
    // The producer declares the queue again with the same options after the server has.
    expect(await stop(server)).toMatchObject({ code: 0 })
    expect(server.logged().filter(({ level }) => !/info|debug/.test(level))).toEqual([])
  }, 240_000)
})

describe('the requests of document C, verbatim', () => {
  test('POST /tasks with no body, GET /tasks/{id}, GET /tasks by status, Swagger', async () => {
    const server = await startServer({ STATUS_LABELS: 'title', WORKER_CONCURRENCY: '1' })
    const created = await fetch(`${server.url}/tasks`, { method: 'POST' })
    expect(created.status).toBe(201)
    const { id } = (await created.json()) as Task
    expect(id).toBe(1)
    const done = await eventually(async () => {
      const response = await fetch(`${server.url}/tasks/${id}`)
      expect(response.status).toBe(200)
      const task = (await response.json()) as Task
      expect(task).toMatchObject({ id, created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/) })
      expect(['New', 'In Progress', 'Completed']).toContain(task.status)
      return task.status === 'Completed' ? task : undefined
    }, 'it is done')
    expect(done.updated_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/)

    // One job that fails, one that takes long, and one that waits behind it.
    const make = async (job: object) => {
      const body = JSON.stringify({ title: 'x', job })
      const headers = { 'content-type': 'application/json' }
      return ((await (await fetch(`${server.url}/tasks`, { method: 'POST', headers, body })).json()) as Task)
        .id
    }
    const failing = await make({ type: 'noop', input: { failures: 1 }, max_attempts: 1 })
    await eventually(async () => (await get(server, '/tasks?status=Failed')).length === 1, 'one has failed')
    const slow = await make({ type: 'noop', input: { duration_ms: 600_000 } })
    await eventually(
      async () => (await get(server, '/tasks?status=In%20Progress')).length === 1,
      'one is in progress',
    )
    const waiting = await make({ type: 'noop' })
    for (const [status, expected] of [
      ['New', waiting],
      ['In Progress', slow],
      ['Completed', id],
      ['Failed', failing],
    ] as const) {
      const listed = await get(server, `/tasks?status=${encodeURIComponent(status)}`)
      expect(listed).toMatchObject([{ id: expected, status, created_at: expect.any(String) }])
    }
    expect((await get(server, '/tasks')).map((task) => task.id)).toEqual([id, failing, slow, waiting])
    const swagger = await fetch(`${server.url}/swagger`)
    expect([swagger.status, swagger.headers.get('content-type')]).toEqual([
      200,
      expect.stringContaining('text/html'),
    ])
    // The slow job is released within the time limit of a shutdown.
    const { code, ms } = await stop(server)
    expect(code).toBe(0)
    expect(ms).toBeGreaterThan(9_000)
    expect(ms).toBeLessThan(15_000)
    const again = await startServer({ STATUS_LABELS: 'title', WORKER_CONCURRENCY: '0' }, server.dataDir)
    const [task] = await get(again, `/tasks?status=New&sort=id`)
    expect(task).toMatchObject({ id: slow, job: { state: 'queued', attempts: 0 } })
    const runs = await get(again, `/tasks/${slow}/runs`)
    expect(runs).toMatchObject([{ number: 1, state: 'released' }])
  }, 240_000)
})
