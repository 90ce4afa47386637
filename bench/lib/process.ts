import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { get } from 'node:http'
import { createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../..', import.meta.url))
/** The pinned Node, whichever one runs the bench. */
export const node = `${root}node_modules/node/bin/node`

const STOP_MS = 12_000
const POLL_MS = 5

/** A server of its own process. */
export interface Running extends AsyncDisposable {
  url: string
  port: number
  pid: number
  /** From spawn to the first 200 of `readyPath`, in milliseconds. */
  readyMs: number
}

/** Starts a program that serves HTTP on 127.0.0.1:PORT, and waits until it answers 200. */
export async function startServer(options: {
  command: string[]
  env: Record<string, string>
  cwd: string
  readyPath: string
  timeoutMs?: number
}): Promise<Running> {
  const { command, env, cwd, readyPath, timeoutMs = 60_000 } = options
  const port = await freePort()
  const logFile = `${cwd}/output-${port}.log`
  const output = openSync(logFile, 'a')
  const started = performance.now()
  const child = spawn(command[0]!, command.slice(1), {
    cwd,
    // None of the operator's own settings, but where programs are.
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env, PORT: String(port) },
    stdio: ['ignore', output, output],
    // A group of its own, since npm, when it is ended, leaves what it started behind.
    detached: true,
  })
  closeSync(output)
  const url = `http://127.0.0.1:${port}`
  while (!(await answers(`${url}${readyPath}`))) {
    const late = performance.now() - started > timeoutMs
    if (late) signal(-child.pid!, 'SIGKILL')
    if (late || child.exitCode !== null) {
      throw new Error(`${command.join(' ')} did not start:\n${readFileSync(logFile, 'utf8').slice(-2000)}`)
    }
    await delay(POLL_MS)
  }
  const readyMs = performance.now() - started
  return { url, port, pid: child.pid!, readyMs, [Symbol.asyncDispose]: () => stop(child) }
}

async function stop(child: ChildProcess): Promise<void> {
  const group = -child.pid!
  const timer = setTimeout(() => signal(group, 'SIGKILL'), STOP_MS)
  if (child.exitCode === null && child.signalCode === null) {
    const ended = once(child, 'exit')
    child.kill('SIGTERM')
    await ended
  }
  if (signal(group, 'SIGTERM')) while (signal(group, 0)) await delay(POLL_MS)
  clearTimeout(timer)
}

/** False when there is no such process. */
function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, name)
  } catch {
    return false
  }
}

function answers(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get(url, { agent: false }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode === 200))
    })
    request.on('error', () => resolve(false))
  })
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as { port: number }
  probe.close()
  return port
}

/** Resident memory of a process in bytes (Linux). */
export function residentBytes(pid: number): number {
  const [, kib] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kib) * 1024
}

/** CPU time of a process so far, user and system, in milliseconds (Linux, 100 ticks a second). */
export function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10
}

/** Keeps a process, with all its threads so far, to these cores (Linux, util-linux); false where that cannot be. */
export function pin(pid: number, cores: string): boolean {
  return spawnSync('taskset', ['-a', '-c', '-p', cores, String(pid)], { stdio: 'ignore' }).status === 0
}
