/** How long does a batch take, beside its operations one by one? */
import { readOptions } from './lib/options.ts'
import { openPostgres, run } from './lib/postgres.ts'
import { cpuMs } from './lib/process.ts'
import { median, percentile } from './lib/stats.ts'
import { printTable, verdict } from './lib/table.ts'
import { startTaskwire } from './lib/taskwire.ts'
import { temporaryFolder } from './lib/temporary-folder.ts'

const options = readOptions('Batch: milliseconds for 500 operations in one request, and one by one.')
const COUNT = 500
const ROUNDS = options.quick ? 3 : 40
const WARM_UP = options.quick ? 1 : 5
/** Of one by one: 500 requests take seconds. */
const SINGLE_ROUNDS = options.quick ? 1 : 3
const CONNECTIONS = 16
const TARGET_MS = 60

type Operation = { op: string; id?: number; task?: object }

await using postgres = await openPostgres(options)
await using folder = await temporaryFolder()
const url = await postgres.createMigrated('batch')
// Others are there too; where all but a few tasks are in the trash, PostgreSQL finds one by another index.
await run(
  url,
  `INSERT INTO tasks (title) SELECT 'Task ' || n FROM generate_series(1, ${options.quick ? 1_000 : 20_000}) n`,
  'VACUUM ANALYZE tasks',
)
await using server = await startTaskwire(folder.path, {
  env: {
    DATABASE_URL: url,
    RATE_LIMIT_PER_MINUTE: '0',
    // The jobs of the last row are only put in the queue.
    WORKER_CONCURRENCY: '0',
  },
})

const task = (i: number) => ({ title: `Task ${i}`, description: 'Collect monthly data', status: 'todo' })
const creations = Array.from({ length: COUNT }, (_, i): Operation => ({ op: 'create', task: task(i) }))
const rows: string[][] = []
await compare('creates', () => creations, TARGET_MS)
await compare('updates', async () => {
  const title = `Changed ${performance.now()}`
  return (await created()).map((id) => ({ op: 'update', id, task: { title } }))
})
await compare('deletes', async () => (await created()).map((id) => ({ op: 'delete', id })))
await compare('creates, updates and deletes by turns', async () =>
  (await created()).map((id, i) => {
    const op = ['create', 'update', 'delete'][i % 3]!
    return { op, ...(op !== 'create' && { id }), ...(op !== 'delete' && { task: task(i) }) }
  }),
)
await compare('creates with a job', () =>
  creations.map(({ op, task }) => ({ op, task: { ...task, job: { type: 'noop' } } })),
)
printTable(
  `Batch: ${COUNT} operations in one request, as the client sees it, events included`,
  [
    ...['operations', 'median', 'least', 'p95', 'target', 'reached', 'CPU of the server'],
    ...[`one by one on ${CONNECTIONS} connections`, 'ratio'],
  ],
  rows,
)

async function compare(
  what: string,
  make: () => Operation[] | Promise<Operation[]>,
  target?: number,
): Promise<void> {
  const batches: number[] = []
  let cpu = 0
  for (let i = 0; i < WARM_UP + ROUNDS; i++) {
    const operations = await make()
    const before = cpuMs(server.pid)
    const ms = await timed(() => send('POST', '/tasks/batch', { operations }))
    if (i < WARM_UP) continue
    batches.push(ms)
    cpu += cpuMs(server.pid) - before
  }
  const singles: number[] = []
  for (let i = 0; i < SINGLE_ROUNDS; i++) {
    const operations = await make()
    singles.push(await timed(() => oneByOne(operations)))
  }
  const [batch, single] = [median(batches), median(singles)]
  rows.push([
    `${COUNT} ${what}`,
    `${batch.toFixed(1)} ms`,
    `${Math.min(...batches).toFixed(1)} ms`,
    `${percentile(batches, 95).toFixed(1)} ms`,
    ...(target === undefined ? ['', ''] : [`${target} ms`, verdict(batch <= target)]),
    `${(cpu / batches.length).toFixed(0)} ms`,
    `${single.toFixed(0)} ms`,
    `${(single / batch).toFixed(0)}x`,
  ])
}

async function oneByOne(operations: Operation[]): Promise<void> {
  const left = operations.values()
  const worker = async () => {
    for (const { op, id, task } of left) {
      if (op === 'create') await send('POST', '/tasks', task)
      else await send(op === 'update' ? 'PATCH' : 'DELETE', `/tasks/${id}`, task)
    }
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, worker))
}

async function created(): Promise<number[]> {
  const { results } = (await send('POST', '/tasks/batch', { operations: creations })) as {
    results: { id: number }[]
  }
  return results.map(({ id }) => id)
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now()
  await work()
  return performance.now() - started
}

async function send(method: string, path: string, body?: object): Promise<unknown> {
  const response = await fetch(server.url + path, {
    method,
    ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`${method} ${path} is ${response.status}: ${text.slice(0, 300)}`)
  return text && JSON.parse(text)
}
