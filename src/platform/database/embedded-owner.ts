import { spawnSync } from 'node:child_process'
import { statSync } from 'node:fs'
import { userInfo } from 'node:os'
import { StartupError } from '../../core/errors.ts'

/** The account that PostgreSQL runs as; `uid` and `gid` go straight into `spawn`. */
export interface Owner {
  uid: number
  gid: number
}

/**
 * Returns the user that runs PostgreSQL; undefined: the user of this process. PostgreSQL refuses to run as root, so
 * root runs it as the owner of the existing cluster, else as `postgres`, else as `nobody`.
 */
export function chooseOwner(cluster: string): Owner | undefined {
  const existing = statSync(cluster, { throwIfNoEntry: false })
  const self = process.getuid?.()
  if (self === undefined) return undefined
  if (self !== 0) {
    if (existing && existing.uid !== self) {
      throw new StartupError(
        `${cluster} belongs to the user with uid ${existing.uid}; start Taskwire as that user or as root, or set another DATA_DIR`,
      )
    }
    return requirePasswdEntry(self)
  }
  if (existing && existing.uid !== 0) return { uid: existing.uid, gid: existing.gid }
  const found = lookUp('postgres') ?? lookUp('nobody')
  if (found) return found
  throw new StartupError(
    'PostgreSQL refuses to run as root and there is no user postgres or nobody; start Taskwire as an ordinary user, or set DATABASE_URL',
  )
}

/** Whether `owner` passes `test <flag> <path>`, asked of the kernel so that ACLs and mounts count. */
export function ownerCan(owner: Owner, flag: '-x' | '-r', path: string): boolean {
  return (
    spawnSync('/bin/sh', ['-c', `test ${flag} "$1"`, 'sh', path], { ...owner, cwd: '/', env: {} }).status ===
    0
  )
}

function lookUp(name: string): Owner | undefined {
  const [uid, gid] = ['-u', '-g'].map((flag) => {
    const id = spawnSync('/usr/bin/id', [flag, name], { encoding: 'utf8', env: {} })
    return id.status === 0 ? Number(id.stdout) : 0
  })
  return uid && gid ? { uid, gid } : undefined
}

/** initdb looks its own user up and gives up without an entry, as under `docker run --user 12345`. */
function requirePasswdEntry(uid: number): undefined {
  try {
    userInfo()
  } catch {
    throw new StartupError(
      `PostgreSQL cannot run as uid ${uid}, which has no entry in /etc/passwd; run as a user that has one, or set DATABASE_URL`,
    )
  }
}
