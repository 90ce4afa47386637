/** How fast are all tasks written out, and how much memory does that take? */
import { readOptions } from './lib/options.ts'
import { openPostgres, run } from './lib/postgres.ts'
import { residentBytes } from './lib/process.ts'
import { printTable, whole } from './lib/table.ts'
import { startTaskwire } from './lib/taskwire.ts'
import { temporaryFolder } from './lib/temporary-folder.ts'

const options = readOptions('Export: tasks per second, and the memory they take.')
const COUNT = options.quick ? 2_000 : 100_000
const MIB = 2 ** 20
const SAMPLE_MS = 10

await using postgres = await openPostgres(options)
await using folder = await temporaryFolder()
const url = await postgres.createMigrated('export')
await run(
  url,
  `INSERT INTO tasks (title, description, status, labels)
   SELECT 'Task ' || n, 'Collect monthly data, ' || repeat('x', n % 200), 'todo', '{home}' FROM generate_series(1, ${COUNT}) n`,
  'VACUUM ANALYZE tasks',
)
await using server = await startTaskwire(folder.path, {
  env: { DATABASE_URL: url, RATE_LIMIT_PER_MINUTE: '0', WORKER_CONCURRENCY: '0' },
})

const rows: string[][] = []
for (const path of ['/tasks/export', '/tasks/export?format=csv', '/tasks.ics']) {
  // The first one compiles what it needs.
  await read(path)
  rows.push(await measure(path))
}
printTable(
  `Export of ${COUNT.toLocaleString('en')} tasks on one connection`,
  ['what', 'tasks/s', 'MB/s', 'seconds', 'more memory'],
  rows,
)

async function measure(path: string): Promise<string[]> {
  const before = residentBytes(server.pid)
  let most = before
  const timer = setInterval(() => {
    most = Math.max(most, residentBytes(server.pid))
  }, SAMPLE_MS)
  const started = performance.now()
  const bytes = await read(path)
  const seconds = (performance.now() - started) / 1000
  clearInterval(timer)
  return [
    `GET ${path}`,
    whole(COUNT / seconds),
    (bytes / 1e6 / seconds).toFixed(1),
    seconds.toFixed(2),
    `${((most - before) / MIB).toFixed(0)} MiB`,
  ]
}

async function read(path: string): Promise<number> {
  const response = await fetch(server.url + path)
  if (!response.ok) throw new Error(`GET ${path} is ${response.status}`)
  let bytes = 0
  for await (const chunk of response.body!) bytes += chunk.length
  return bytes
}
