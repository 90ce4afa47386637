import { spawn, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { node } from './process.ts'

export type Workload = 'find' | 'list' | 'only' | 'post'

export interface Measured {
  requests: number
  seconds: number
  /** microseconds */
  p50: number
  p99: number
  failures: number
}

/** Puts load on a server for some seconds; a loader runs in a process of its own. */
export type Loader = (port: number, workload: Workload, seconds: number) => Promise<Measured>

export const CONNECTIONS = 32
export const ROWS = 1000

const WRK = 'wrk'
const socketsScript = fileURLToPath(new URL('../load/http-load.ts', import.meta.url))
const wrkScript = fileURLToPath(new URL('../load/tasks.lua', import.meta.url))

/** wrk where it is installed: it takes less CPU than raw sockets in Node, and the cores are shared. */
export function chooseLoader(name: string | undefined): { name: string; load: Loader } {
  const hasWrk = spawnSync(WRK, ['-v']).error === undefined
  const chosen = name ?? (hasWrk ? 'wrk' : 'sockets')
  if (chosen === 'wrk' && hasWrk) return { name: 'wrk', load: wrk }
  if (chosen === 'sockets') return { name: 'raw sockets', load: sockets }
  throw new Error(chosen === 'wrk' ? 'wrk is not installed' : `there is no load generator ${chosen}`)
}

const wrk: Loader = (port, workload, seconds) =>
  lastLine(WRK, [
    ...['-t1', `-c${CONNECTIONS}`, `-d${seconds}s`, '-s', wrkScript],
    ...[`http://127.0.0.1:${port}`, '--', workload, String(ROWS)],
  ])

const sockets: Loader = (port, workload, seconds) =>
  lastLine(node, [socketsScript, String(port), workload, String(ROWS), String(CONNECTIONS), String(seconds)])

async function lastLine(command: string, commandArguments: string[]): Promise<Measured> {
  const child = spawn(command, commandArguments, { stdio: ['ignore', 'pipe', 'inherit'] })
  const output = Buffer.concat(await child.stdout.toArray()).toString()
  return JSON.parse(output.trim().split('\n').at(-1)!)
}
