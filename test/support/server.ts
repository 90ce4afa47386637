import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { lstatSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { onTestFinished } from 'vitest'
import { eventually } from './eventually.ts'
import { descendants, kill, mentioning, postmasterOf } from './processes.ts'

// Support of the black-box tests: it knows the server from outside only.

const root = fileURLToPath(new URL('../..', import.meta.url))
/** A start on a busy machine of two cores, initdb included. */
const START_MS = 40_000

export interface Exit {
  code: number | null
  signal: NodeJS.Signals | null
}

/** A program of ours in a process of its own, ended with the test. */
export interface Program {
  child: ChildProcess
  pid: number
  /** Lines of stdout and stderr so far. */
  out: string[]
  err: string[]
  exited: Promise<Exit>
}

export interface Server extends Program {
  url: string
  /** Where WebSockets are. */
  ws: string
  port: string
  dataDir: string
  /** What it logged so far. */
  logged(): { level: string; msg: string }[]
}

/** A folder that goes, with whatever still runs in it, after the test or, given `afterAll`, the file. */
export function temporaryFolder(after: (cleanUp: () => Promise<void>) => void = onTestFinished): string {
  const folder = mkdtempSync(join(tmpdir(), 'taskwire-acceptance-'))
  after(async () => {
    for (const pid of mentioning(folder)) kill(pid, 'SIGKILL')
    await eventually(() => mentioning(folder).length === 0, `nothing runs in ${folder}`)
    const cluster = join(folder, 'postgres')
    if (lstatSync(cluster, { throwIfNoEntry: false })?.isSymbolicLink())
      rmSync(dirname(realpathSync(cluster)), { recursive: true, force: true })
    rmSync(folder, { recursive: true, force: true })
  })
  return folder
}

/** Runs `src/<script>` with these settings and none of the operator's own. */
export function run(script: string, args: string[], settings: Record<string, string>, cwd: string): Program {
  const env = { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', TMPDIR: tmpdir(), ...settings }
  const child = spawn(process.execPath, [join(root, 'src', script), ...args], {
    cwd,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const program: Program = {
    child,
    pid: child.pid!,
    out: [],
    err: [],
    exited: once(child, 'close').then(([code, signal]) => ({ code, signal })),
  }
  createInterface(child.stdout).on('line', (line) => void program.out.push(line))
  createInterface(child.stderr).on('line', (line) => void program.err.push(line))
  onTestFinished(async () => {
    const over = child.exitCode !== null || child.signalCode !== null
    if (!over) for (const pid of [child.pid!, ...descendants(child.pid!)]) kill(pid, 'SIGKILL')
    await program.exited
  })
  return program
}

/** A server that was started but need not come up. */
export function launch(settings: Record<string, string>, dataDir = temporaryFolder()): Program {
  const defaults = {
    DATA_DIR: dataDir,
    PORT: '0',
    LOG_FILE: 'off',
    IMPORTS: 'off',
    // Nobody is there: tests call nothing outside of this machine.
    CBR_URL: 'http://127.0.0.1:1/rates',
    CURRENCY_BACKFILL_DAYS: '0',
    WEATHER: 'off',
  }
  return run('main.ts', [], { ...defaults, ...settings }, dataDir)
}

/** A server that is ready. */
export async function startServer(
  settings: Record<string, string> = {},
  dataDir = temporaryFolder(),
): Promise<Server> {
  const program = launch(settings, dataDir)
  let over = false
  void program.exited.then(() => {
    over = true
  })
  const ready = await eventually(
    () => {
      if (over) throw new Error(`it did not start: ${program.out.join('\n')}${program.err.join('\n')}`)
      return program.out.find((line) => line.includes('taskwire is ready at '))
    },
    'the server is ready',
    START_MS,
  )
  const [url, port] = /http:\/\/localhost:(\d+)/.exec(ready)!
  return {
    ...program,
    url,
    ws: url.replace('http', 'ws'),
    port: port!,
    dataDir,
    logged: () => program.out.map((line) => JSON.parse(line)),
  }
}

/** Asks for an orderly end and waits for it; resolves to the exit and how long it took. */
export async function stop(
  server: Program,
  signal: NodeJS.Signals = 'SIGTERM',
): Promise<Exit & { ms: number }> {
  const started = performance.now()
  kill(server.pid, signal)
  return { ...(await server.exited), ms: Math.round(performance.now() - started) }
}

/** A connection to the embedded database of `dataDir`, past the server: docs/adr/0001. */
export async function connectTo(dataDir: string): Promise<pg.Client & AsyncDisposable> {
  const { socketFolder, port } = postmasterOf(dataDir)!
  const password = readFileSync(join(dataDir, 'postgres.password'), 'utf8').trim()
  const client = new pg.Client({
    host: socketFolder || '127.0.0.1',
    port,
    user: 'taskwire',
    database: 'taskwire',
    password,
  })
  client.on('error', () => {})
  await client.connect()
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.end() })
}
