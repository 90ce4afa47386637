/** Do logins hold up reads? What does a read cost that has to know whose token it comes with? */
import { fileURLToPath } from 'node:url'
import { createPasswords } from '../src/features/auth/password.ts'
import { CONNECTIONS, chooseLoader, lastLine, type Measured, ROWS } from './lib/load.ts'
import { readOptions } from './lib/options.ts'
import { openPostgres, run } from './lib/postgres.ts'
import { node, type Running } from './lib/process.ts'
import { median, percentile } from './lib/stats.ts'
import { printTable, verdict, whole } from './lib/table.ts'
import { startTaskwire } from './lib/taskwire.ts'
import { temporaryFolder } from './lib/temporary-folder.ts'

const options = readOptions(
  'Logins: read latency while 20 a second come; reads with a token beside open ones.',
)
const ROUNDS = options.quick ? 1 : 5
const SECONDS = options.quick ? 1 : 5
const PACED_SECONDS = options.quick ? 2 : 15
const USERS = 20
const LOGINS_PER_SECOND = 20
const READS_PER_SECOND = 640
const TARGET_P99_MS = 50
const TARGET_RATIO = 0.9
const PASSWORD = 'correct horse battery'
const loader = chooseLoader(options.load)
const pacedScript = fileURLToPath(new URL('./load/paced-reads.ts', import.meta.url))

await using postgres = await openPostgres(options)
const template = await postgres.createMigrated('template')
const hash = await createPasswords().hash(PASSWORD)
await run(
  template,
  `INSERT INTO users (username, username_key, password_hash)
   SELECT 'user' || i, 'user' || i, '${hash}' FROM generate_series(1, ${USERS}) i`,
  `INSERT INTO tasks (title, description, user_id)
   SELECT 'Prepare report ' || i, 'Collect monthly data', 1 FROM generate_series(1, ${ROWS}) i`,
  'VACUUM ANALYZE',
)
await using closed = await start('closed', { AUTH_MODE: 'required', RATE_LIMIT_PER_MINUTE: '0' })
await readsDuringLogins(closed.server)

await using open = await start('open', { AUTH_MODE: 'open', RATE_LIMIT_PER_MINUTE: '0' })
// As many as nobody asks for in a minute, so that all are counted and none is refused.
await using limited = await start('limited', { AUTH_MODE: 'required', RATE_LIMIT_PER_MINUTE: '1000000' })
await readsWithToken()

/** A server on a copy of the database, in a folder of its own. */
async function start(name: string, env: Record<string, string>) {
  await using stack = new AsyncDisposableStack()
  const folder = stack.use(await temporaryFolder())
  const url = await postgres.create(name, 'template')
  const server = stack.use(await startTaskwire(folder.path, { env: { ...env, DATABASE_URL: url } }))
  const owned = stack.move()
  return { server, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

async function login({ url }: Running, username: string): Promise<string> {
  const response = await fetch(`${url}/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ username, password: PASSWORD }),
  })
  if (!response.ok) throw new Error(`login: ${response.status} ${await response.text()}`)
  return ((await response.json()) as { access_token: string }).access_token
}

async function readsDuringLogins(server: Running): Promise<void> {
  const token = await login(server, 'user1')
  const reads = (seconds: number): Promise<Measured> =>
    lastLine(node, [
      ...[pacedScript, String(server.port), token, String(ROWS)],
      ...[String(CONNECTIONS), String(READS_PER_SECOND), String(seconds)],
    ])
  await reads(1)
  const quiet = await reads(PACED_SECONDS)
  const [busy, logins] = await Promise.all([reads(PACED_SECONDS), logInFor(server, PACED_SECONDS)])
  const ms = (microseconds: number) => (microseconds / 1000).toFixed(2)
  const row = (title: string, { p50, p99, failures, requests, seconds }: Measured, told: string[]) => {
    if (failures > 0) throw new Error(`${failures} reads failed`)
    return [title, whole(requests / seconds), ms(p50), ms(p99), ...told]
  }
  printTable(
    `GET /tasks/{id} with a token, ${CONNECTIONS} connections at ${READS_PER_SECOND}/s for ${PACED_SECONDS} s`,
    ['meanwhile', 'reads /s', 'p50 ms', 'p99 ms', 'target p99', 'reached', 'login p50, p99 ms'],
    [
      row('nothing', quiet, ['', '', '']),
      row(`${(logins.length / PACED_SECONDS).toFixed(1)} logins/s`, busy, [
        `${TARGET_P99_MS} ms`,
        verdict(busy.p99 / 1000 <= TARGET_P99_MS),
        [50, 99].map((p) => percentile(logins, p).toFixed(1)).join(', '),
      ]),
    ],
  )
}

/** Logs in at the rate, whether or not earlier ones were answered; how long each took, in milliseconds. */
async function logInFor(server: Running, seconds: number): Promise<number[]> {
  const started = performance.now()
  const logins = Array.from({ length: seconds * LOGINS_PER_SECOND }, async (_, i) => {
    const due = started + (i * 1000) / LOGINS_PER_SECOND
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())))
    await login(server, `user${(i % USERS) + 1}`)
    return performance.now() - due
  })
  return Promise.all(logins)
}

async function readsWithToken(): Promise<void> {
  const cases = [
    { title: 'open, without a token', server: open.server, token: undefined },
    { title: 'with a token', server: closed.server, token: await login(closed.server, 'user1') },
    {
      title: 'with a token and a limit',
      server: limited.server,
      token: await login(limited.server, 'user1'),
    },
  ]
  const measured = cases.map((): Measured[] => [])
  for (const { server, token } of cases) await loader.load(server.port, 'find', 1, token)
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, { server, token }] of cases.entries()) {
      const one = await loader.load(server.port, 'find', SECONDS, token)
      if (one.failures > 0) throw new Error(`${one.failures} requests failed`)
      measured[i]!.push(one)
    }
  }
  const rates = measured.map((rounds) => rounds.map(({ requests, seconds }) => requests / seconds))
  const base = median(rates[0]!)
  const rows = cases.map(({ title }, i) => {
    const rate = median(rates[i]!)
    const range = `${whole(Math.min(...rates[i]!))} to ${whole(Math.max(...rates[i]!))}`
    const p99 = (median(measured[i]!.map((one) => one.p99)) / 1000).toFixed(2)
    const aim = i === 1 ? [TARGET_RATIO.toFixed(2), verdict(rate / base >= TARGET_RATIO)] : ['', '']
    return [title, whole(rate), range, (rate / base).toFixed(2), ...aim, p99]
  })
  printTable(
    `GET /tasks/{id}: ${CONNECTIONS} connections, ${SECONDS} s, medians of ${ROUNDS} alternating rounds, load by ${loader.name}`,
    ['server', 'requests /s', 'range', 'ratio', 'target', 'reached', 'p99 ms'],
    rows,
  )
}
