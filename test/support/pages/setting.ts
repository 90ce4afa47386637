import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cbrXml, sendXml } from '../cbr.ts'
import { hasNats, startNats } from '../nats.ts'
import { openTestRabbit, rabbitUrl } from '../rabbitmq.ts'
import { startServer, temporaryFolder } from '../server.ts'
import { startUpstream } from '../upstream.ts'
import { root } from './pages.ts'

const SECRET_KEY = 'one-secret-key-for-the-server-and-for-its-commands'
const BLOCK_MS = 60_000
const RATES = [
  { code: 'USD', value: '79,7296' },
  { code: 'EUR', value: '93,5626' },
]

/** What the pages take for granted, beside what the project brings. */
const tools = ['bash', 'curl', 'jq', 'script', 'timeout', 'python3']
export const missingTools = tools.filter((name) => spawnSync('which', [name]).status !== 0)
if (missingTools.length > 0) {
  const reason = `NOT COVERED: what stands in the pages (there is no ${missingTools.join(', no ')})`
  if (process.env.REQUIRE_SERVICES === '1') throw new Error(reason)
  process.stderr.write(`${reason}\n`)
}

/** A server as a reader of a page has it, and a terminal beside it. */
export interface Setting extends AsyncDisposable {
  url: string
  folder: string
  env: Record<string, string>
  /** Code of the page with the addresses of here. */
  here(code: string): string
  /** Runs a block as if it was typed after those before; what went wrong, if anything did. */
  shell(code: string): Promise<string | undefined>
  /** Makes a task of the user whose token it is, of which they hear who listen for them, or for everybody. */
  say(title: string, token: string): Promise<void>
  titles(): Promise<string[]>
}

/** Starts the services that `page` names, as far as they are installed, and a server that uses them. */
export async function startSetting(databaseUrl: string, page: string): Promise<Setting> {
  await using stack = new AsyncDisposableStack()
  const todos = stack.use(await startUpstream())
  const rates = stack.use(await startUpstream())
  rates.answer(sendXml(cbrXml('13.12.2025', RATES)))
  const nats = hasNats && page.includes('nats://') ? stack.use(await startNats()) : undefined
  const rabbit = rabbitUrl && page.includes('task_queue') ? stack.use(await openTestRabbit()) : undefined
  const settings = {
    DATABASE_URL: databaseUrl,
    SECRET_KEY,
    TODO_SOURCE_URL: todos.url,
    CBR_URL: rates.url,
    CURRENCY_BACKFILL_DAYS: '0',
    RATE_LIMIT_PER_MINUTE: '0',
    IMPORTS: 'off',
    WEATHER: 'off',
    ...(nats && { NATS_URL: nats.url }),
    ...rabbit?.settings,
  }
  const server = await startServer(settings)
  const folder = temporaryFolder()
  // biome-ignore lint/suspicious/noExplicitAny: answers of many shapes
  const send = async (method: string, path: string, body?: object, token?: string): Promise<any> => {
    const response = await fetch(server.url + path, {
      method,
      headers: {
        ...(body && { 'content-type': 'application/json' }),
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
      ...(body && { body: JSON.stringify(body) }),
    })
    if (!response.ok)
      throw new Error(`${method} ${path} answered ${response.status}: ${await response.text()}`)
    return await response.json()
  }
  // What the pages call /tasks/1: its job waits for its next attempt.
  await send('POST', '/tasks', { title: 'A task', job: { type: 'noop', input: { failures: 1000 } } })
  await send('POST', '/importers/currencies/run')
  writeFileSync(join(folder, 'report.pdf'), '%PDF-1.7\n')

  const which = (name: string) => spawnSync('which', [name], { encoding: 'utf8' }).stdout.trim()
  const env = {
    ...settings,
    PATH: `${fileURLToPath(new URL('bin', import.meta.url))}:${process.env.PATH}`,
    HOME: process.env.HOME ?? '',
    DATA_DIR: join(folder, 'data'),
    PROJECT: root,
    SERVER: server.url,
    NODE: process.execPath,
    REAL_CURL: which('curl'),
    REAL_NPM: which('npm'),
  }
  const here = (code: string) => {
    let text = code.replaceAll('localhost:8000', `localhost:${server.port}`)
    if (nats) text = text.replaceAll('localhost:4222', new URL(nats.url).host)
    if (rabbit)
      text = text
        .replaceAll("'task_queue'", `'${rabbit.queue}'`)
        .replaceAll("'tasks'", `'${rabbit.durableQueue}'`)
    return text
  }
  const owned = stack.move()
  return {
    url: server.url,
    folder,
    env,
    here,
    async shell(code) {
      const script = `set -eo pipefail; [ ! -f variables ] || . ./variables\n${code}\ndeclare -p TOKEN GRANT >variables 2>&- || true`
      const child = spawn('bash', ['-c', script], { cwd: folder, env, timeout: BLOCK_MS })
      let said = ''
      for (const output of [child.stdout, child.stderr]) output.on('data', (data) => (said += data))
      const [status] = await once(child, 'close')
      return status === 0 ? undefined : `ended with ${status}: ${said.slice(-1000)}`
    },
    say: (title, token) => send('POST', '/tasks', { title }, token),
    titles: async () => (await send('GET', '/tasks?limit=1000')).map(({ title }: { title: string }) => title),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
