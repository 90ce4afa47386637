/** How fast do messages become tasks, and jobs get done? What does it take in memory? */
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { readOptions } from './lib/options.ts'
import { openPostgres, run } from './lib/postgres.ts'
import { cpuMs, type Running, residentBytes } from './lib/process.ts'
import { openQueues, queueJobs } from './lib/queues.ts'
import { median, percentile } from './lib/stats.ts'
import { printTable, verdict, whole } from './lib/table.ts'
import { startTaskwire } from './lib/taskwire.ts'
import { temporaryFolder } from './lib/temporary-folder.ts'

const options = readOptions('Queue: messages into committed tasks, jobs done, and the memory of a backlog.')
const scale = options.quick ? 20 : 1
const MESSAGES = 30_000 / scale
const JOBS = 10_000 / scale
const SINGLE_JOBS = 1_000 / scale
const BACKLOG = 100_000 / scale
const POSTS = options.quick ? 20 : 200
const TARGET_MESSAGES = 3_000
const TARGET_JOBS = 500
const TARGET_JOB_MS = 5

await using postgres = await openPostgres(options)
await using queues = await openQueues()

const names = options.names.length > 0 ? options.names : ['intake', 'worker', 'latency', 'memory']
if (names.includes('intake')) await intake()
if (names.includes('worker')) await worker()
if (names.includes('latency')) await latency()
if (names.includes('memory')) await memory()

async function start(name: string, env: Record<string, string>) {
  await using stack = new AsyncDisposableStack()
  const folder = stack.use(await temporaryFolder())
  const url = await postgres.createMigrated(name)
  if ('jobs' in env) await queueJobs(url, Number(env.jobs))
  const profile = options.profile
    ? ['--cpu-prof', `--cpu-prof-dir=${options.profile}`, `--cpu-prof-name=${name}.cpuprofile`]
    : []
  const server = stack.use(
    await startTaskwire(folder.path, {
      env: { ...env, DATABASE_URL: url, RATE_LIMIT_PER_MINUTE: '0' },
      nodeArguments: profile,
    }),
  )
  const owned = stack.move()
  return { server, url, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

async function until(url: string, condition: string, sample: () => void = () => {}): Promise<void> {
  for (;;) {
    const [row] = await run<{ yes: boolean }>(url, `SELECT ${condition} AS yes`)
    sample()
    if (row!.yes) return
    await delay(200)
  }
}

/** From the first task's commit to the last one's, by the clock of the database. */
async function intake(): Promise<void> {
  const { RABBITMQ_QUEUE: transient, RABBITMQ_DURABLE_QUEUE: durable } = queues.settings
  const rows: string[][] = []
  for (const [title, queue, withIds] of [
    ['transient queue, without ids', transient, false],
    ['transient queue, with ids', transient, true],
    ['durable queue, with ids', durable, true],
  ] as const) {
    await queues.fill(queue, MESSAGES, withIds)
    await using started = await start(`intake${rows.length}`, { ...queues.settings, WORKER_CONCURRENCY: '0' })
    await until(started.url, `(SELECT count(*) FROM tasks) = ${MESSAGES}`)
    const [row] = await run<{ seconds: number; batches: number }>(
      started.url,
      'SELECT extract(epoch FROM max(created_at) - min(created_at))::float8 AS seconds, count(DISTINCT created_at)::int AS batches FROM tasks',
    )
    // The first batch was under way when the clock began.
    const rate = (MESSAGES * (1 - 1 / row!.batches)) / row!.seconds
    const cpu = (cpuMs(started.server.pid) * 1000) / MESSAGES
    rows.push([
      title,
      whole(rate),
      whole(MESSAGES / row!.batches),
      whole(cpu),
      whole(TARGET_MESSAGES),
      verdict(rate >= TARGET_MESSAGES),
    ])
  }
  printTable(
    `${whole(MESSAGES)} messages that wait in RabbitMQ, into committed tasks`,
    ['messages', 'messages/s', 'a transaction', 'CPU µs each, start included', 'target', 'reached'],
    rows,
  )
}

async function worker(): Promise<void> {
  const rows: string[][] = []
  for (const [concurrency, jobs] of [
    [20, JOBS],
    [4, JOBS],
    [1, SINGLE_JOBS],
  ] as const) {
    await using started = await start(`worker${concurrency}`, {
      jobs: String(jobs),
      WORKER_CONCURRENCY: String(concurrency),
    })
    await until(started.url, "NOT EXISTS (SELECT FROM tasks WHERE job ->> 'state' IN ('queued', 'running'))")
    const [row] = await run<{ seconds: number }>(
      started.url,
      'SELECT extract(epoch FROM max(finished_at) - min(started_at))::float8 AS seconds FROM task_runs',
    )
    const rate = jobs / row!.seconds
    const ms = 1000 / rate
    const isReached = concurrency === 20 ? rate >= TARGET_JOBS : ms <= TARGET_JOB_MS
    const target = concurrency === 20 ? `${TARGET_JOBS}/s` : concurrency === 1 ? `${TARGET_JOB_MS} ms` : ''
    rows.push([
      String(concurrency),
      whole(jobs),
      whole(rate),
      ms.toFixed(2),
      target,
      target && verdict(isReached),
    ])
  }
  rows.push(['peer: one UPDATE, committed', whole(SINGLE_JOBS), '', (await commitMs()).toFixed(2), '', ''])
  printTable(
    'noop jobs that wait, done',
    ['concurrency', 'jobs', 'jobs/s', 'ms a job', 'target', 'reached'],
    rows,
  )
}

/** What the machine takes for the least that a job needs, at the same time. */
async function commitMs(): Promise<number> {
  const client = new pg.Client({ connectionString: await postgres.create('peer') })
  await client.connect()
  await client.query('CREATE TABLE peer AS SELECT 0 AS n')
  const began = performance.now()
  for (let i = 0; i < SINGLE_JOBS; i++) await client.query('UPDATE peer SET n = n + 1')
  const ms = (performance.now() - began) / SINGLE_JOBS
  await client.end()
  return ms
}

/** From a POST to the end of its job, on a server that has nothing else to do. */
async function latency(): Promise<void> {
  await using started = await start('latency', {})
  const begin: number[] = []
  const end: number[] = []
  for (let i = 0; i < POSTS + 10; i++) {
    await fetch(`${started.server.url}/tasks`, { method: 'POST' })
    await until(started.url, "NOT EXISTS (SELECT FROM tasks WHERE job ->> 'state' IN ('queued', 'running'))")
  }
  const times = await run<{ begin: number; end: number }>(
    started.url,
    `SELECT extract(epoch FROM r.started_at - t.created_at)::float8 * 1000 AS begin,
      extract(epoch FROM r.finished_at - t.created_at)::float8 * 1000 AS end
     FROM tasks t JOIN task_runs r ON r.task_id = t.id ORDER BY t.id OFFSET 10`,
  )
  for (const one of times) {
    begin.push(one.begin)
    end.push(one.end)
  }
  const ms = (values: number[]) => [median(values).toFixed(1), percentile(values, 99).toFixed(1)]
  printTable(
    `${POSTS} POSTs without a body, one after the other`,
    ['from POST to', 'p50 ms', 'p99 ms'],
    [
      ['its run', ...ms(begin)],
      ['its end', ...ms(end)],
    ],
  )
}

async function memory(): Promise<void> {
  await queues.fill(queues.settings.RABBITMQ_QUEUE, BACKLOG, true)
  await using started = await start('memory', { ...queues.settings, WORKER_CONCURRENCY: '20' })
  let most = 0
  const sample = () => {
    most = Math.max(most, residentBytes(started.server.pid))
  }
  const began = performance.now()
  await until(started.url, `(SELECT count(*) FROM tasks) >= ${BACKLOG / 4}`, sample)
  const quarter = most
  await until(started.url, `(SELECT count(*) FROM tasks) = ${BACKLOG}`, sample)
  const taken = performance.now() - began
  const waiting = await countWaiting(started)
  await delay(options.quick ? 500 : 5_000)
  sample()
  const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(0)} MiB`
  printTable(
    `${whole(BACKLOG)} messages that wait, taken in while jobs are run`,
    ['', ''],
    [
      ['taken in within', `${(taken / 1000).toFixed(1)} s`],
      ['jobs that waited then', whole(waiting)],
      ['most resident memory, in the first quarter of them', mib(quarter)],
      ['most resident memory, in all', mib(most)],
      ['resident memory in the end', mib(residentBytes(started.server.pid))],
    ],
  )
}

async function countWaiting({ url }: { url: string; server: Running }): Promise<number> {
  const [row] = await run<{ count: number }>(
    url,
    "SELECT count(*)::int AS count FROM tasks WHERE job ->> 'state' = 'queued'",
  )
  return row!.count
}
