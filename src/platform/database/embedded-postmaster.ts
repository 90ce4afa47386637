import { execFileSync } from 'node:child_process'
import { readFileSync, readlinkSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { StartupError } from '../../core/errors.ts'
import { processIdentity } from './embedded-lock.ts'

/** The contents of `postmaster.pid` (src/include/utils/pidfile.h). */
export interface PostmasterFile {
  pid: number
  port: number
  socketFolder: string
  ready: boolean
}

export function readPostmasterFile(cluster: string): PostmasterFile | undefined {
  let lines: string[]
  try {
    lines = readFileSync(join(cluster, 'postmaster.pid'), 'utf8').split('\n')
  } catch {
    return undefined
  }
  const pid = Number(lines[0])
  if (!Number.isSafeInteger(pid) || pid <= 1) return undefined
  return { pid, port: Number(lines[3]), socketFolder: lines[4] ?? '', ready: lines[7]?.trim() === 'ready' }
}

/**
 * Returns when no postmaster serves `cluster`. The caller holds the server lock, so one that still does is an
 * orphan of a killed server (it is stopped, and what it committed stays), or is being stopped by its watchdog.
 * A file that names a zombie or a stranger is removed: PostgreSQL would refuse to start as long as a process
 * of its own user has that pid. It finds memory still in use without the file, by the folder's inode.
 *
 * @throws StartupError when the orphan does not end, or a server out of sight (another container) answers
 */
export async function settle(cluster: string, log: { warn(message: string): void }): Promise<void> {
  const started = Date.now()
  let signalled: NodeJS.Signals | undefined
  let doubtful = 0
  for (;;) {
    const file = readPostmasterFile(cluster)
    if (!file) return
    const state = classify(file.pid, cluster)
    // A process that is going has no command line any more; a kernel thread never had one.
    doubtful = state === 'nameless' ? doubtful + 1 : 0
    if (state === 'gone' || state === 'foreign' || doubtful > 200) {
      if (await answers(file)) {
        throw new StartupError(
          `${cluster} is served by a PostgreSQL that cannot be seen from here (pid ${file.pid}, another container?); stop it or set another DATA_DIR`,
        )
      }
      if (exists(file.pid)) removeLocks(cluster, file)
      return
    }
    const waited = Date.now() - started
    if (waited > 40_000)
      throw new StartupError(
        `PostgreSQL (pid ${file.pid}) of ${cluster} does not stop; end it and start again`,
      )
    // Immediate shutdown is as safe as a power cut: the next start replays the log.
    const signal = waited > 30_000 ? 'SIGQUIT' : 'SIGINT'
    if (state === 'ours' && signal !== signalled) {
      if (!signalled)
        log.warn(`stopping the PostgreSQL that a killed server or watchdog left behind (pid ${file.pid})`)
      signalled = signal
      interrupt(file.pid, signal)
    }
    await delay(25)
  }
}

/** The lock of the socket names the same pid. It goes first: without the file nobody knows where it is. */
function removeLocks(cluster: string, { socketFolder, port }: PostmasterFile): void {
  if (socketFolder.startsWith('/')) rmSync(`${socketOf({ socketFolder, port })}.lock`, { force: true })
  rmSync(join(cluster, 'postmaster.pid'), { force: true })
}

/** `nameless`: alive, without a command line. `ours`: a postmaster of this cluster. */
function classify(pid: number, cluster: string): 'gone' | 'foreign' | 'nameless' | 'ours' {
  if (processIdentity(pid) === undefined) return 'gone'
  const words = commandLine(pid)
  if (words === '') return 'nameless'
  if (`${words} `.includes(`-D ${cluster} `)) return 'ours'
  try {
    return readlinkSync(`/proc/${pid}/cwd`) === cluster ? 'ours' : 'foreign'
  } catch {
    return 'foreign'
  }
}

function commandLine(pid: number): string {
  try {
    if (process.platform === 'linux')
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()
    return execFileSync('/bin/ps', ['-ww', '-o', 'command=', '-p', String(pid)], { encoding: 'utf8' }).trim()
  } catch {
    return ''
  }
}

/** Asks a postmaster for a fast shutdown. Windows has no signals: there only the watchdog can. */
export function interrupt(pid: number, signal: NodeJS.Signals = 'SIGINT'): void {
  if (process.platform === 'win32') return
  try {
    process.kill(pid, signal)
  } catch {
    // It ended between the look and the signal.
  }
}

function exists(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

/** Whether anything accepts connections where the file says; the kernel answers for every pid namespace. */
function answers({ socketFolder, port }: PostmasterFile): Promise<boolean> {
  if (!socketFolder.startsWith('/')) return Promise.resolve(false)
  return new Promise((resolve) => {
    const socket = connect(socketOf({ socketFolder, port }))
    const finish = (answer: boolean) => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('connect', () => finish(true)).once('error', () => finish(false))
  })
}

function socketOf({ socketFolder, port }: Pick<PostmasterFile, 'socketFolder' | 'port'>): string {
  return join(socketFolder, `.s.PGSQL.${port}`)
}
