import { expect, onTestFinished, test } from 'vitest'
import { connect, emptyDatabase } from '../support/empty-database.ts'
import { eventually } from '../support/eventually.ts'
import { audit, wronglyShown, wronglyTold } from '../support/ledger.ts'
import { listen } from '../support/listener.ts'
import { type Server, startServer, stop } from '../support/server.ts'
import { startUpstream } from '../support/upstream.ts'
import { Writers } from '../support/writers.ts'

const INTERVAL = 5

interface Run {
  state: string
  created_count: number
  started_at: string
  finished_at: string
}
const runsOf = async ({ url }: Server) => (await (await fetch(`${url}/importers/todos/runs`)).json()) as Run[]

test('two servers on one database: both serve, every client gets every event, imports run once', async () => {
  await using upstream = await startUpstream()
  const settings = {
    DATABASE_URL: await emptyDatabase(),
    IMPORTS: 'on',
    TODO_SOURCE_URL: upstream.url,
    BACKGROUND_TASK_INTERVAL: String(INTERVAL),
  }
  // At once: both migrate, and both book the first import.
  const servers = await Promise.all([startServer(settings), startServer(settings)])
  const [one, other] = servers
  await eventually(
    async () => (await runsOf(one)).some(({ state }) => state === 'succeeded'),
    'the first import',
  )
  // The second start may book a run of its own; from here on there is one each interval.
  const total = await fetch(`${other.url}/tasks?limit=1`)
  expect(total.headers.get('x-total-count')).toBe('20')

  const client = await connect(settings.DATABASE_URL)
  onTestFinished(() => client.end())
  const head = await client.query<{ id: string }>('SELECT max(id) AS id FROM events')
  const listeners = await Promise.all(
    servers.flatMap(({ ws }) => [listen(`${ws}/ws/tasks`), listen(`${ws}/ws`)]),
  )
  const [mine, theirs] = [new Writers(), new Writers('other task')]
  mine.start(one.url, 3)
  theirs.start(other.url, 3)
  await eventually(() => mine.acknowledged > 150 && theirs.acknowledged > 150, 'both write', 30_000)
  await Promise.all([mine.stop(), theirs.stop()])
  const entries = [...mine.entries, ...theirs.entries]
  expect([...mine.failures, ...theirs.failures]).toEqual([])
  for (const { url } of servers) expect(await wronglyShown(url, entries)).toEqual([])
  const { problems, events } = await audit(client, entries, 'source IS NULL')
  expect(problems).toEqual([])
  for (const listener of listeners) {
    const told = () => listener.events.filter(({ type }) => type.startsWith('task_'))
    const expected = events.filter(({ id }) => Number(id) > Number(head.rows[0]!.id))
    await eventually(() => told().length >= expected.length, 'all events are told')
    expect(wronglyTold(told(), events, { after: Number(head.rows[0]!.id), complete: true })).toEqual([])
  }

  // One run each interval, not one a server: two more take two intervals, whoever runs them.
  const before = (await runsOf(one)).length
  const asked = upstream.requests
  const started = performance.now()
  await eventually(async () => (await runsOf(other)).length >= before + 2, 'two more runs', 30_000)
  expect(performance.now() - started).toBeGreaterThan((INTERVAL - 2) * 1000)
  expect(upstream.requests - asked).toBeLessThanOrEqual(3)
  const runs = (await runsOf(one)).filter(({ state }) => state !== 'running').reverse()
  expect(runs.reduce((sum, { created_count }) => sum + created_count, 0)).toBe(20)
  // Never two at a time.
  for (const [index, { started_at }] of runs.slice(1).entries())
    expect(started_at > runs[index]!.finished_at).toBe(true)

  // One leaves; the other goes on, imports included.
  expect(await stop(one)).toMatchObject({ code: 0 })
  const left = (await runsOf(other)).length
  await eventually(async () => (await runsOf(other)).length > left, 'the other imports', 30_000)
  for (const server of servers)
    expect(server.logged().filter(({ level }) => /error|fatal/.test(level))).toEqual([])
  expect(await stop(other)).toMatchObject({ code: 0 })
}, 300_000)
