/** How late is a page of a large list, by each filter, by a search, and far behind the first? */
import { chooseLoader, type Measured } from './lib/load.ts'
import { readOptions, say } from './lib/options.ts'
import { openPostgres } from './lib/postgres.ts'
import type { Running } from './lib/process.ts'
import { median } from './lib/stats.ts'
import { printTable, verdict, whole } from './lib/table.ts'
import { COMMON, fillTasks } from './lib/task-table.ts'
import { startTaskwire } from './lib/taskwire.ts'
import { temporaryFolder } from './lib/temporary-folder.ts'

const options = readOptions(
  'Queries: latency of pages of 50 by filters, searches and cursors, 16 connections.',
)
const CONNECTIONS = 16
const loader = chooseLoader(options.load)
const ROUNDS = options.quick ? 1 : 3
const SECONDS = options.quick ? 1 : 3
const SIZES = options.quick
  ? [{ count: 2_000, target: 15 }]
  : [
      { count: 100_000, target: 15 },
      { count: 1_000_000, target: 40 },
    ]
const DEEP_TIMES = 1.5
const VARIANTS = 40

interface Case {
  title: string
  paths: string[]
  /** As a user, who sees own tasks only. */
  own?: boolean
}

await using postgres = await openPostgres(options)
for (const { count, target } of SIZES) await benchSize(count, target)

async function benchSize(count: number, target: number): Promise<void> {
  const url = await postgres.createMigrated(`tasks_${count}`)
  const started = performance.now()
  await fillTasks(url, count)
  say(`\n${whole(count)} tasks were made in ${((performance.now() - started) / 1000).toFixed(0)} s.`)
  await using folder = await temporaryFolder()
  await using server = await startTaskwire(folder.path, {
    env: { DATABASE_URL: url, RATE_LIMIT_PER_MINUTE: '0', AUTH_MODE: 'open' },
  })
  const token = await registeredToken(server)
  const rows: string[][] = []
  for (const { title, paths, own } of cases(count)) {
    await checkFull(server, paths, own ? token : undefined)
    const { p50, p95, rate } = await measure(server, paths, own ? token : undefined)
    rows.push([title, ms(p50), ms(p95), whole(rate), `${target}`, verdict(p95 / 1000 <= target)])
  }
  const head = ['page of 50', 'p50 ms', 'p95 ms', '/s', 'target', 'reached']
  printTable(
    `${whole(count)} tasks of 1,000 users, ${CONNECTIONS} connections, medians of ${ROUNDS}, load by ${loader.name}`,
    head,
    rows,
  )

  const deep: string[][] = []
  for (const sort of ['id', '-created_at', 'position']) {
    const first = `/tasks?limit=50&sort=${sort}&cursor=`
    const far = await farPage(server, sort, count)
    const [a, b] = [await measure(server, [first]), await measure(server, [far])]
    const ratio = b.p50 / a.p50
    deep.push([sort, ms(a.p50), ms(b.p50), ratio.toFixed(2), `${DEEP_TIMES}`, verdict(ratio <= DEEP_TIMES)])
  }
  printTable(
    'Cursors: the first page and one behind nine tenths of the tasks',
    ['sort', 'first p50', 'far p50', 'ratio', 'target', 'reached'],
    deep,
  )
  await postgres.drop(`tasks_${count}`)
}

function cases(count: number): Case[] {
  const many = (path: (i: number) => string) =>
    Array.from({ length: VARIANTS }, (_, i) => `/tasks?limit=50&${path(i)}`)
  const day = (i: number) => new Date(Date.UTC(2024, 0, 1 + ((i * 83) % 690))).toISOString().slice(0, 10)
  const q = (text: string) => `q=${encodeURIComponent(text)}`
  const common = (i: number) => COMMON[i % COMMON.length]!
  return [
    { title: 'one task, to compare', paths: Array.from({ length: VARIANTS }, (_, i) => `/tasks/${i + 1}`) },
    { title: 'all', paths: many(() => '') },
    { title: 'status, of a half', paths: many(() => 'status=todo') },
    { title: 'status, of 0.5 %', paths: many(() => 'status=failed') },
    { title: 'completed=false', paths: many(() => 'completed=false') },
    { title: 'priority', paths: many((i) => `priority=${['low', 'medium', 'high', 'urgent'][i % 4]}`) },
    { title: 'user_id', paths: many((i) => `user_id=${1 + i * 23}`) },
    { title: 'city', paths: many((i) => `city=city+${i % 20}`) },
    { title: 'label', paths: many((i) => `label=label+${i}`) },
    { title: 'created on a day', paths: many((i) => `created_from=${day(i)}&created_to=${day(i)}`) },
    { title: 'created_from', paths: many((i) => `created_from=${day(i)}`) },
    { title: 'created_to, the latest first', paths: many((i) => `created_to=${day(i)}&sort=-id`) },
    { title: 'due on a day', paths: many((i) => `due_from=${day(i + 9)}&due_to=${day(i + 9)}`) },
    { title: 'due_from', paths: many((i) => `due_from=${day(i)}`) },
    { title: 'overdue', paths: many(() => 'overdue=true') },
    { title: 'has_job=false', paths: many(() => 'has_job=false') },
    { title: 'sort=-created_at', paths: many(() => 'sort=-created_at') },
    { title: 'sort=position', paths: many(() => 'sort=position') },
    { title: 'q, a number', paths: many((i) => q(String(1 + ((i * 7919) % count)))) },
    { title: 'q, a common word', paths: many((i) => q(common(i))) },
    { title: 'q, two common words', paths: many((i) => q(`${common(i)} ${common(i + 1 + (i % 7))}`)) },
    {
      title: 'q, a word and a beginning',
      paths: many((i) => q(`${common(i)} ${common(i + 3).slice(0, 4)}`)),
    },
    { title: 'own', own: true, paths: many(() => '') },
    { title: 'own, by title', own: true, paths: many(() => 'sort=title') },
    { title: 'own, todo, the next due first', own: true, paths: many(() => 'status=todo&sort=due_at') },
    { title: 'own, a common word', own: true, paths: many((i) => q(common(i))) },
  ]
}

async function measure(server: Running, paths: string[], token?: string) {
  await loader.loadPaths(server.port, paths, CONNECTIONS, 1, token)
  const rounds: Measured[] = []
  for (let i = 0; i < ROUNDS; i++)
    rounds.push(await loader.loadPaths(server.port, paths, CONNECTIONS, SECONDS, token))
  const failures = rounds.reduce((sum, round) => sum + round.failures, 0)
  if (failures > 0) throw new Error(`${failures} requests failed: ${paths[0]}`)
  return {
    p50: median(rounds.map(({ p50 }) => p50)),
    p95: median(rounds.map(({ p95 }) => p95)),
    rate: median(rounds.map(({ requests, seconds }) => requests / seconds)),
  }
}

/** Else it would be the latency of empty pages. */
async function checkFull({ url }: Running, paths: string[], token?: string): Promise<void> {
  const headers: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {}
  const answers = await Promise.all(paths.map(async (path) => (await fetch(url + path, { headers })).text()))
  const empty = answers.filter((answer) => answer === '[]').length
  if (empty > paths.length / 2) throw new Error(`${empty} of ${paths.length} find nothing: ${paths[0]}`)
}

/** The path of a page behind nine tenths of all tasks. */
async function farPage({ url }: Running, sort: string, count: number): Promise<string> {
  const step = Math.min(1000, count / 10)
  let path = `/tasks?limit=${step}&sort=${sort}&cursor=`
  for (let passed = 0; passed < count * 0.9; passed += step) {
    const { headers } = await fetch(url + path)
    path = /<([^>]+)>; rel="next"/.exec(headers.get('link')!)![1]!
  }
  return path.replace(/limit=\d+/, 'limit=50')
}

/** Of the first user there is, who has a thousandth of the tasks. */
async function registeredToken({ url }: Running): Promise<string> {
  const response = await fetch(`${url}/auth/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ username: 'bench', password: 'a password of the bench' }),
  })
  return ((await response.json()) as { access_token: string }).access_token
}

function ms(microseconds: number): string {
  return (microseconds / 1000).toFixed(2)
}
