import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { linkSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { StartupError } from '../../core/errors.ts'

const prefix = 'postgres.lock.'

/**
 * Makes this process the only server of the cluster in `folder`; returns the release.
 *
 * The lock is the file `postgres.lock.<n>` with the highest n: its owner is `<pid> <identity>`, and a dead
 * owner or an empty file is no owner. A taker links n+1, which only one of many can do, and owns the lock if
 * nothing higher exists by then. A file is deleted only while higher ones exist, so a slow taker cannot
 * mistake a living owner for the dead one it read: the flaw of every "rename the stale lock away".
 *
 * @throws StartupError that names the pid of the server that holds it
 */
export function lockServer(folder: string, dataDir: string): () => void {
  const draft = join(folder, `postgres.lock-${randomBytes(6).toString('hex')}`)
  try {
    for (;;) {
      const highest = highestLock(folder)
      const owner = ownerOf(folder, highest)
      if (owner !== undefined) {
        throw new StartupError(
          `DATA_DIR ${dataDir} is in use by another Taskwire server (pid ${owner}); stop it or set another DATA_DIR`,
        )
      }
      const lock = join(folder, prefix + (highest + 1))
      writeFileSync(draft, `${process.pid} ${processIdentity(process.pid)}\n`, { mode: 0o600 })
      if (!tryLink(draft, lock)) continue
      if (highestLock(folder) !== highest + 1) {
        rmSync(lock, { force: true })
        continue
      }
      // The predecessor stays, so that a listing during this change of owners shows one of the two.
      for (const n of lockNumbers(folder)) if (n < highest) rmSync(join(folder, prefix + n), { force: true })
      return () => truncateSync(lock)
    }
  } finally {
    rmSync(draft, { force: true })
  }
}

/** The pid of the server that holds the lock of the cluster in `folder`; undefined when none does. */
export function lockOwner(folder: string): number | undefined {
  return ownerOf(folder, highestLock(folder))
}

/**
 * Returns an identity that a later process with the same pid does not share: boot and start time. Returns undefined
 * if the process has ended or is a zombie. Windows offers no cheap equivalent, so there a running pid counts as owner.
 */
export function processIdentity(pid: number): string | undefined {
  try {
    if (process.platform === 'linux') {
      const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
      // The name in parentheses may hold spaces and parentheses; state is the field after the last of them.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      if (fields[0] === 'Z' || fields[0] === 'X') return undefined
      return `${readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()}:${fields[19]}`
    }
    if (process.platform === 'win32') return process.kill(pid, 0) ? 'alive' : undefined
    const row = execFileSync('/bin/ps', ['-o', 'stat=,lstart=', '-p', String(pid)], { env: { LC_ALL: 'C' } })
    const [state = 'Z', ...started] = row.toString().trim().split(/\s+/)
    return state.startsWith('Z') ? undefined : started.join('-')
  } catch {
    return undefined
  }
}

function ownerOf(folder: string, highest: number): number | undefined {
  return highest === 0 ? undefined : livingOwner(join(folder, prefix + highest))
}

function livingOwner(lock: string): number | undefined {
  let text = ''
  try {
    text = readFileSync(lock, 'utf8')
  } catch {
    return undefined // deleted since it was listed: a higher one exists and the link will say so
  }
  const [pid, identity] = text.trim().split(' ')
  if (!pid || !identity) return undefined
  return processIdentity(Number(pid)) === identity ? Number(pid) : undefined
}

function lockNumbers(folder: string): number[] {
  return readdirSync(folder)
    .filter((name) => name.startsWith(prefix))
    .map((name) => Number(name.slice(prefix.length)))
    .filter(Number.isSafeInteger)
}

function highestLock(folder: string): number {
  return Math.max(0, ...lockNumbers(folder))
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}
