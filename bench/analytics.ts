/** How long do figures over all tasks take, as a client sees it? */
import { readOptions } from './lib/options.ts'
import { openPostgres, run } from './lib/postgres.ts'
import { median, percentile } from './lib/stats.ts'
import { printTable, verdict } from './lib/table.ts'
import { startTaskwire } from './lib/taskwire.ts'
import { temporaryFolder } from './lib/temporary-folder.ts'

const options = readOptions('Analytics: milliseconds from request to answer.')
const TASKS = options.quick ? 10_000 : 100_000
const USERS = 1_000
const ROUNDS = options.quick ? 3 : 40
const TARGET_MS = 120

await using postgres = await openPostgres(options)
await using folder = await temporaryFolder()
const url = await postgres.createMigrated('analytics')
// A year of them, a third done within ten days: as with a server that has been in use.
await run(
  url,
  `INSERT INTO users (username, username_key, password_hash)
   SELECT 'user' || n, 'user' || n, 'x' FROM generate_series(1, ${USERS}) n`,
  `INSERT INTO tasks (title, description, status, user_id, created_at)
   SELECT 'Task ' || n, repeat('Collect monthly data. ', 3), (ARRAY['todo', 'in_progress', 'done'])[1 + n % 3],
     1 + n * 7919 % ${USERS}, now() - random() * interval '365 days'
   FROM generate_series(1, ${TASKS}) n`,
  "UPDATE tasks SET done_at = created_at + random() * interval '10 days' WHERE status = 'done'",
  'VACUUM ANALYZE tasks',
)
await using server = await startTaskwire(folder.path, {
  env: { DATABASE_URL: url, RATE_LIMIT_PER_MINUTE: '0' },
})

const day = (daysAgo: number) => new Date(Date.now() - daysAgo * 86_400_000).toISOString().slice(0, 10)
const rows: string[][] = []
for (const [what, query] of [
  ['all', ''],
  ['all, in the days of Moscow', '?tz=Europe/Moscow'],
  ['the last 30 days', `?start_date=${day(30)}`],
  ['a day', `?start_date=${day(100)}&end_date=${day(100)}`],
] as const) {
  const times: number[] = []
  await ask(query)
  for (let i = 0; i < ROUNDS; i++) times.push(await ask(query))
  const [least, middle, late] = [Math.min(...times), median(times), percentile(times, 95)]
  rows.push([what, ...[least, middle, late].map((ms) => ms.toFixed(0)), verdict(middle <= TARGET_MS)])
}
printTable(
  `Figures over ${TASKS} tasks of ${USERS} users, one request at a time, ms (target: median of ${TARGET_MS})`,
  ['what', 'least', 'median', 'p95', 'reached'],
  rows,
)

async function ask(query: string): Promise<number> {
  const started = performance.now()
  const response = await fetch(`${server.url}/analytics${query}`)
  const body = await response.text()
  if (response.status !== 200) throw new Error(`${response.status}: ${body}`)
  return performance.now() - started
}
