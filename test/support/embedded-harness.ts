import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, lstatSync, mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import pg from 'pg'
import { onTestFinished, vi } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/platform/database/embedded.ts'
import type { Connection } from '../../src/platform/database/embedded-connection.ts'
import { processIdentity } from '../../src/platform/database/embedded-lock.ts'

/** Support for the tests of the supervisor: folders, servers and child processes that go with the test. */

export const isRoot = process.getuid?.() === 0

/** A new DATA_DIR (not made yet) below a folder that others may pass through, unless `mode` says otherwise. */
export function dataFolder(mode = 0o755): string {
  const home = mkdtempSync(join(tmpdir(), 'taskwire-test-'))
  chmodSync(home, mode)
  onTestFinished(() => {
    const link = lstatSync(join(home, 'data/postgres'), { throwIfNoEntry: false })
    if (link?.isSymbolicLink())
      rmSync(dirname(realpathSync(join(home, 'data/postgres'))), { recursive: true })
    rmSync(home, { recursive: true, force: true })
  })
  return join(home, 'data')
}

export interface Started {
  postgres: EmbeddedPostgres
  lines: string[]
}

/** A supervisor in this process, stopped with the test. */
export async function start(dataDir: string): Promise<Started> {
  const lines: string[] = []
  const note = (line: string) => void lines.push(line)
  const postgres = await startEmbeddedPostgres({ dataDir, log: { info: note, warn: note, error: note } })
  onTestFinished(() => postgres.stop())
  return { postgres, lines }
}

/** One statement on a connection of its own. */
export async function query(connection: Connection, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client(connection)
  client.on('error', () => {})
  try {
    await client.connect()
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}

export interface Server {
  node: number
  /** what the supervisor answered: its pid and connection, or the error it threw */
  answer: { pid?: number; connection?: Connection; name?: string; message?: string }
  kill(): Promise<void>
}

/** A supervisor in a Node process of its own, as `user` when given. `begun` runs while it is starting. */
export async function startProcess(
  dataDir: string,
  { user, begun }: { user?: { uid: number; gid: number }; begun?: (pid: number) => unknown } = {},
): Promise<Server> {
  const script = `
    import { startEmbeddedPostgres } from ${JSON.stringify(new URL('../../src/platform/database/embedded.ts', import.meta.url).href)}
    const log = { info() {}, warn() {}, error() {} }
    try {
      const { pid, connection } = await startEmbeddedPostgres({ dataDir: process.argv[1], log })
      console.log(JSON.stringify({ pid, connection }))
    } catch ({ name, message }) {
      console.log(JSON.stringify({ name, message }))
    }`
  const args = ['--input-type=module', '-e', script, dataDir]
  const child = spawn(process.execPath, args, { ...user, cwd: '/', stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'exit')
  const kill = async () => {
    child.kill('SIGKILL')
    await ended
  }
  const line = once(createInterface(child.stdout), 'line')
  await begun?.(child.pid!)
  const first = await Promise.race([line, ended.then(() => ['{}'])])
  const answer = JSON.parse(String(first[0]))
  if (answer.pid) onTestFinished(() => gone(answer.pid)) // or it writes into a folder that is being removed
  onTestFinished(kill)
  return { node: child.pid!, answer, kill }
}

export function childrenOf(pid: number): number[] {
  return spawnSync('pgrep', ['-P', String(pid)], { encoding: 'utf8' })
    .stdout.split('\n')
    .filter(Boolean)
    .map(Number)
}

/** Waits until the process is gone (or a zombie that nobody has reaped yet). */
export async function gone(pid: number): Promise<void> {
  await until(() => processIdentity(pid) === undefined)
}

export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const check = async () => {
    if (!(await condition())) throw new Error(`not yet: ${condition}`)
  }
  await vi.waitFor(check, { timeout: 20_000, interval: 5 })
}
