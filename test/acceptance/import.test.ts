import { expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { listen } from '../support/listener.ts'
import { startServer } from '../support/server.ts'
import { startUpstream } from '../support/upstream.ts'

interface Run {
  run_id: number
  trigger: string
  state: string
  created_count: number
  updated_count: number
  skipped_count: number
  error: string | null
}

const todos = Array.from({ length: 200 }, (_, index) => ({
  userId: 1 + Math.floor(index / 20),
  id: index + 1,
  title: `todo ${index + 1}`,
  completed: index % 2 === 0,
}))
const INTERVAL = 5
/** A run is due after the interval. The queue is polled every second, and the machine may be busy. */
const NEXT_RUN_MS = (INTERVAL + 10) * 1000

test('the import creates 200 tasks at the start, no duplicates later, and survives an outage of its source', async () => {
  await using upstream = await startUpstream()
  upstream.answer(todos)
  const server = await startServer({
    IMPORTS: 'on',
    TODO_SOURCE_URL: upstream.url,
    BACKGROUND_TASK_INTERVAL: String(INTERVAL),
  })
  const get = async (path: string) => await fetch(`${server.url}${path}`)
  const count = async () => (await get('/tasks?limit=1')).headers.get('x-total-count')
  const runs = async () => (await (await get('/importers/todos/runs')).json()) as Run[]

  await eventually(async () => (await runs())[0]?.state === 'succeeded', 'the first run has finished')
  const rates = async () => (await (await get('/importers/currencies/runs')).json()) as Run[]
  await eventually(
    async () => (await rates())[0]?.state === 'failed',
    'the run of the other importer has finished',
  )
  expect(await runs()).toMatchObject([
    { trigger: 'schedule', created_count: 200, updated_count: 0, error: null },
  ])
  expect(await count()).toBe('200')
  const first = (await (await get('/tasks?limit=1')).json()) as object[]
  expect(first).toMatchObject([
    {
      title: 'todo 1',
      description: 'From external API: User 1',
      status: 'done',
      completed: true,
      source: 'jsonplaceholder',
      version: 1,
    },
  ])

  const { events } = await listen(`${server.ws}/ws/tasks`)
  const published = (type: string) => events.filter((event) => event.type === type)
  await eventually(() => published('background_task_completed').length === 1, 'a second run', NEXT_RUN_MS)
  const { run_id } = (await runs())[0]!
  expect(events.map(({ type, data }) => ({ type, data }))).toEqual([
    {
      type: 'background_task_completed',
      data: { importer: 'todos', run_id, created_count: 0, updated_count: 0, skipped_count: 200 },
    },
  ])
  expect(await count()).toBe('200')

  upstream.answer((request) => request.socket.destroy())
  await eventually(() => published('background_task_failed').length === 1, 'a run that fails', NEXT_RUN_MS)
  expect(published('background_task_failed')[0]!.data).toEqual({
    importer: 'todos',
    run_id: run_id + 1,
    error: expect.stringMatching(/closed|hang up|ECONNRESET/),
  })
  const byHand = await fetch(`${server.url}/task-generator/run`, { method: 'POST' })
  expect(byHand.status).toBe(502)
  expect(await byHand.json()).toMatchObject({ status: 502, title: 'Bad Gateway' })
  expect((await get('/health/ready')).status).toBe(200)
  expect(await count()).toBe('200')

  // The source is available again with one changed and one new todo.
  upstream.answer([{ ...todos[0]!, title: 'changed upstream' }, ...todos.slice(1), { ...todos[0]!, id: 201 }])
  await eventually(
    () => published('background_task_completed').length === 2,
    'a run that succeeds',
    NEXT_RUN_MS,
  )
  expect(published('background_task_completed')[1]!.data).toMatchObject({
    created_count: 1,
    updated_count: 1,
    skipped_count: 199,
  })
  expect(published('task_updated')[0]!.data.task).toMatchObject({ title: 'changed upstream', version: 2 })
  expect(published('task_created')).toHaveLength(1)
  expect(await count()).toBe('201')
  expect(server.logged().filter(({ level }) => /error|fatal/.test(level))).toEqual([])
}, 240_000)
