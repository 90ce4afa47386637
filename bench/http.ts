/** How many requests per second, beside a bare node:http server on the same PostgreSQL? */
import { strictEqual } from 'node:assert'
import { fileURLToPath } from 'node:url'
import { CONNECTIONS, chooseLoader, type Measured, ROWS, type Workload } from './lib/load.ts'
import { readOptions } from './lib/options.ts'
import { openPostgres, run } from './lib/postgres.ts'
import { cpuMs, node, type Running, startServer } from './lib/process.ts'
import { median } from './lib/stats.ts'
import { printTable, verdict, whole } from './lib/table.ts'
import { startTaskwire } from './lib/taskwire.ts'
import { temporaryFolder } from './lib/temporary-folder.ts'

const options = readOptions('HTTP: requests per second and latency, Taskwire beside a bare node:http server.')
const ROUNDS = options.quick ? 1 : 5
const SECONDS = options.quick ? 1 : 5
const P99_TIMES = 2
const loader = chooseLoader(options.load)

interface Case {
  title: string
  workload: Workload
  /** What the bare server is asked, where that is something else. */
  bare: Workload
  target: number | undefined
}
// Writes last: they make the table larger, and not by the same number of rows on both.
const cases: Case[] = [
  { title: 'GET /tasks/{id}', workload: 'find', bare: 'find', target: 0.9 },
  { title: 'GET /tasks?limit=100', workload: 'list', bare: 'list', target: 0.9 },
  { title: 'the same, bare without total', workload: 'list', bare: 'only', target: undefined },
  { title: 'POST /tasks', workload: 'post', bare: 'post', target: 0.8 },
]

await using postgres = await openPostgres(options)
const ours = await postgres.createMigrated('taskwire')
await run(
  ours,
  `INSERT INTO tasks (title, description, status)
   SELECT 'Prepare report ' || i, 'Collect monthly data', (ARRAY['todo', 'done'])[i % 2 + 1]
   FROM generate_series(1, ${ROWS}) i`,
  'VACUUM ANALYZE tasks',
)
const theirs = await postgres.create('bare', 'taskwire')

await using folder = await temporaryFolder()
await using taskwire = await startTaskwire(folder.path, {
  env: { DATABASE_URL: ours },
  nodeArguments: options.profile ? ['--cpu-prof', `--cpu-prof-dir=${options.profile}`] : [],
})
await using bare = await startServer({
  command: [node, fileURLToPath(new URL('./peers/bare-http.ts', import.meta.url))],
  env: { DATABASE_URL: theirs },
  cwd: folder.path,
  readyPath: '/',
})
await checkSameAnswers()

const rows: string[][] = []
for (const { title, workload, bare: bareWorkload, target } of cases) {
  await loader.load(taskwire.port, workload, 1)
  await loader.load(bare.port, bareWorkload, 1)
  const a: Round[] = []
  const b: Round[] = []
  for (let i = 0; i < ROUNDS; i++) {
    a.push(await round(taskwire, workload))
    b.push(await round(bare, bareWorkload))
  }
  rows.push(describe(title, a, b, target))
}
const head = ['workload', 'Taskwire /s', 'bare /s', 'ratio', 'target', 'reached', 'p50 ms', 'p99 ms']
printTable(
  `HTTP: ${CONNECTIONS} connections, ${SECONDS} s, medians of ${ROUNDS} alternating rounds, load by ${loader.name} (pairs: Taskwire, bare)`,
  [...head, 'p99 ratio', `<= ${P99_TIMES}`, 'least CPU µs/request'],
  rows,
)

interface Round {
  rate: number
  p50: number
  p99: number
  /** CPU time of the server per request, in microseconds; the least of all rounds is told. */
  cpu: number
}

async function round(server: Running, workload: Workload): Promise<Round> {
  const before = cpuMs(server.pid)
  const measured: Measured = await loader.load(server.port, workload, SECONDS)
  if (measured.failures > 0) throw new Error(`${measured.failures} requests failed`)
  const { requests, seconds, p50, p99 } = measured
  return { rate: requests / seconds, p50, p99, cpu: ((cpuMs(server.pid) - before) * 1000) / requests }
}

function describe(title: string, a: Round[], b: Round[], target: number | undefined): string[] {
  const medians = (key: keyof Round) => [median(a.map((r) => r[key])), median(b.map((r) => r[key]))] as const
  const pair = (values: readonly number[], digits: number, scale = 1) =>
    values.map((value) => (value / scale).toFixed(digits)).join(', ')
  const leastCpu = [a, b].map((rounds) => Math.min(...rounds.map(({ cpu }) => cpu)))
  const rate = medians('rate')
  const p99 = medians('p99')
  const ratio = rate[0] / rate[1]
  const tailRatio = p99[0] / p99[1]
  const aim = target === undefined ? ['', ''] : [target.toFixed(2), verdict(ratio >= target)]
  return [
    ...[title, whole(rate[0]), whole(rate[1]), ratio.toFixed(2), ...aim],
    ...[pair(medians('p50'), 2, 1000), pair(p99, 2, 1000), tailRatio.toFixed(2)],
    ...[verdict(tailRatio <= P99_TIMES), pair(leastCpu, 0)],
  ]
}

/** Else the comparison would be one of different work. */
async function checkSameAnswers(): Promise<void> {
  const read = async ({ url }: Running, path: string) => (await fetch(url + path)).text()
  for (const path of ['/tasks/1', `/tasks/${ROWS}`, '/tasks?limit=100']) {
    const [a, b] = await Promise.all([read(taskwire, path), read(bare, path)])
    strictEqual(a, b)
  }
}
