/** How long from `npm start` to a server that answers, and how much memory it holds when idle? */
import { setTimeout as delay } from 'node:timers/promises'
import { readOptions } from './lib/options.ts'
import { residentBytes, root, startServer } from './lib/process.ts'
import { median } from './lib/stats.ts'
import { printTable, verdict } from './lib/table.ts'
import { startTaskwire } from './lib/taskwire.ts'
import { temporaryFolder } from './lib/temporary-folder.ts'
import { startTodoSource } from './lib/todos.ts'

const { quick } = readOptions('Start-up: spawn to the first 200 of /health/ready; resident memory when idle.')
const RUNS = quick ? 1 : 5
const IDLE_MS = quick ? 1_000 : 20_000
const TARGETS = { fresh: 4_000, existing: 2_000, residentMiB: 150 }

const fresh: number[] = []
const existing: number[] = []
for (let i = 0; i < RUNS; i++) {
  await using folder = await temporaryFolder()
  fresh.push(await timedStart(folder.path))
  existing.push(await timedStart(folder.path))
}

await using folder = await temporaryFolder()
await timedStart(folder.path)
const throughNpm = await timedNpmStart(folder.path)
await using source = await startTodoSource(200)
const importing = { IMPORTS: 'on', TODO_SOURCE_URL: source.url }
const withImports = await timedStart(folder.path, importing)

const row = (what: string, times: number[], target?: number) => {
  const figures = [median(times), Math.min(...times), Math.max(...times)].map((ms) => `${ms.toFixed(0)} ms`)
  const aim = target ? [`${target} ms`, verdict(median(times) <= target)] : ['', '']
  return [what, String(times.length), ...figures, ...aim]
}
printTable(
  'Start: spawn of `node src/main.ts` to the first 200 of /health/ready (embedded PostgreSQL)',
  ['start', 'runs', 'median', 'min', 'max', 'target', 'reached'],
  [
    row('fresh DATA_DIR', fresh, TARGETS.fresh),
    row('existing DATA_DIR', existing, TARGETS.existing),
    row('existing, through `npm start`', [throughNpm]),
    row('existing, imports on (local source)', [withImports]),
  ],
)

const idle: string[][] = []
for (const [what, env] of [
  ['imports off', {}],
  ['imports on', importing],
] as const) {
  await using server = await startTaskwire(folder.path, { env })
  await delay(IDLE_MS)
  const mebibytes = residentBytes(server.pid) / 2 ** 20
  const reached = verdict(mebibytes <= TARGETS.residentMiB)
  idle.push([what, `${mebibytes.toFixed(1)} MiB`, `${TARGETS.residentMiB} MiB`, reached])
}
printTable(
  `Resident memory of the Node process, idle for ${IDLE_MS / 1000} s`,
  ['server', 'resident', 'target', 'reached'],
  idle,
)

async function timedStart(path: string, env: Record<string, string> = {}): Promise<number> {
  await using server = await startTaskwire(path, { env })
  return server.readyMs
}

/** npm itself included: a second Node that reads package.json, and a shell. */
async function timedNpmStart(path: string): Promise<number> {
  await using server = await startServer({
    command: ['npm', '--prefix', root, 'start', '--silent'],
    env: { IMPORTS: 'off', DATA_DIR: `${path}/data`, LOG_FILE: `${path}/app.log` },
    cwd: path,
    readyPath: '/health/ready',
  })
  return server.readyMs
}
