import { spawn, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { node } from './process.ts'

export type Workload = 'find' | 'list' | 'only' | 'post'

export interface Measured {
  requests: number
  seconds: number
  /** microseconds */
  p50: number
  p95: number
  p99: number
  failures: number
}

/** Puts load on a server for some seconds, with an access token if given; a loader runs in a process of its own. */
export type Loader = (port: number, workload: Workload, seconds: number, token?: string) => Promise<Measured>

export const CONNECTIONS = 32
export const ROWS = 1000

const WRK = 'wrk'
const socketsScript = fileURLToPath(new URL('../load/http-load.ts', import.meta.url))
const wrkScript = fileURLToPath(new URL('../load/tasks.lua', import.meta.url))

/** GETs paths of a list at random. */
export type PathLoader = (
  port: number,
  paths: string[],
  connections: number,
  seconds: number,
  token?: string,
) => Promise<Measured>

/** wrk where it is installed: it takes less CPU than raw sockets in Node, and the cores are shared. */
export function chooseLoader(name: string | undefined): {
  name: string
  load: Loader
  loadPaths: PathLoader
} {
  const hasWrk = spawnSync(WRK, ['-v']).error === undefined
  const chosen = name ?? (hasWrk ? 'wrk' : 'sockets')
  if (chosen === 'wrk' && hasWrk) return { name: 'wrk', load: wrk, loadPaths: wrkPaths }
  if (chosen === 'sockets') return { name: 'raw sockets', load: sockets, loadPaths: socketPaths }
  throw new Error(chosen === 'wrk' ? 'wrk is not installed' : `there is no load generator ${chosen}`)
}

const wrkArguments = (port: number, connections: number, seconds: number) => [
  ...['-t1', `-c${connections}`, `-d${seconds}s`, '-s', wrkScript],
  ...[`http://127.0.0.1:${port}`, '--'],
]

const wrk: Loader = (port, workload, seconds, token = '') =>
  lastLine(WRK, [...wrkArguments(port, CONNECTIONS, seconds), workload, String(ROWS), token])

const wrkPaths: PathLoader = (port, paths, connections, seconds, token = '') =>
  lastLine(WRK, [...wrkArguments(port, connections, seconds), 'paths', '0', token], paths.join('\n'))

const sockets: Loader = (port, workload, seconds, token = '') =>
  lastLine(node, [
    ...[socketsScript, String(port), workload, String(ROWS)],
    ...[String(CONNECTIONS), String(seconds), token],
  ])

const socketPaths: PathLoader = (port, paths, connections, seconds, token = '') => {
  const numbers = ['0', String(connections), String(seconds)]
  return lastLine(node, [socketsScript, String(port), 'paths', ...numbers, token], paths.join('\n'))
}

/** Runs a load generator; what it measured is the last line that it prints. */
export async function lastLine(command: string, commandArguments: string[], input = ''): Promise<Measured> {
  const child = spawn(command, commandArguments, { stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdin.end(input)
  const output = Buffer.concat(await child.stdout.toArray()).toString()
  return JSON.parse(output.trim().split('\n').at(-1)!)
}
