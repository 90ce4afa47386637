import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { eventually } from './eventually.ts'

interface Row {
  pid: number
  parent: number
  command: string
}

/** Every process that is more than a zombie. */
function table(): Row[] {
  const text = execFileSync('ps', ['-ww', '-eo', 'pid=,ppid=,stat=,args='], {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  })
  return text
    .split('\n')
    .map((line) => /^\s*(\d+)\s+(\d+)\s+(\S+)\s(.*)$/.exec(line))
    .filter((match) => match && !match[3]!.startsWith('Z'))
    .map((match) => ({ pid: Number(match![1]), parent: Number(match![2]), command: match![4]! }))
}

/** What runs below `pid`, parents first. */
export function descendants(pid: number): number[] {
  const rows = table()
  const below = (parent: number): number[] =>
    rows.filter((row) => row.parent === parent).flatMap((row) => [row.pid, ...below(row.pid)])
  return below(pid)
}

/** Processes that have `text` in their command line, other than the one that asks. */
export function mentioning(text: string): number[] {
  return table()
    .filter(({ pid, command }) => pid !== process.pid && command.includes(text))
    .map(({ pid }) => pid)
}

export function isAlive(pid: number): boolean {
  return table().some((row) => row.pid === pid)
}

/** Sends `signal` if the process is still there. */
export function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It is gone already.
  }
}

/** pid and socket of the postmaster that serves `dataDir` (src/include/utils/pidfile.h of PostgreSQL). */
export function postmasterOf(
  dataDir: string,
): { pid: number; socketFolder: string; port: number } | undefined {
  try {
    const lines = readFileSync(join(dataDir, 'postgres/postmaster.pid'), 'utf8').split('\n')
    return { pid: Number(lines[0]), port: Number(lines[3]), socketFolder: lines[4]! }
  } catch {
    return undefined
  }
}

/** Waits until nothing of the embedded PostgreSQL of `dataDir` runs and its pid file is gone. */
export async function databaseIsDown(dataDir: string): Promise<void> {
  await eventually(
    () => postmasterOf(dataDir) === undefined && mentioning(dataDir).length === 0,
    `the PostgreSQL in ${dataDir} is down`,
    20_000,
  )
}
