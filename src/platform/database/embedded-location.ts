import { createHash } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { StartupError } from '../../core/errors.ts'
import { chooseOwner, type Owner, ownerCan } from './embedded-owner.ts'

/** Root's own folder for what PostgreSQL's user could not reach elsewhere: binaries and clusters. */
export const rootFolder = '/var/lib/taskwire'

/** The paths of a server's cluster and the user that runs it. All paths are real and absolute. */
export interface ClusterLocation {
  /** the option as given, for messages */
  name: string
  dataDir: string
  cluster: string
  /** undefined: PostgreSQL runs as ourselves */
  owner: Owner | undefined
}

/** Finds, or decides for a new one, where the cluster of `dataDir` is; creates no more than empty folders. */
export function locateCluster(name: string, log: { info(message: string): void }): ClusterLocation {
  const root = process.getuid?.() === 0
  // Another user must pass through root's DATA_DIR; nobody but root can list it.
  mkdirSync(name, { recursive: true, mode: root ? 0o711 : 0o700 })
  const dataDir = realpathSync(name)
  const entry = join(dataDir, 'postgres')
  const owner = chooseOwner(entry)
  const found = lstatSync(entry, { throwIfNoEntry: false })
  if (owner && !letThrough(owner, dataDir) && !found) placeElsewhere(entry, owner, log)
  const cluster = realEntry(entry)
  if (owner && !ownerCan(owner, '-x', dirname(cluster))) {
    throw new StartupError(
      `the user with uid ${owner.uid}, whom PostgreSQL runs as, cannot enter ${dirname(cluster)}; allow that (chmod o+x on it and its parents) or set another DATA_DIR`,
    )
  }
  return { name, dataDir, cluster, owner }
}

/**
 * A folder for the unix socket, private to the owner: the cluster itself while the socket's path fits the
 * 104 bytes that macOS has for it (Linux: 108), else a short one under the temp folder.
 */
export function socketFolder({ cluster, owner }: ClusterLocation): string {
  const longest = 103 - '/.s.PGSQL.5432'.length
  if (Buffer.byteLength(cluster) <= longest) return cluster
  const name = `taskwire-${createHash('sha256').update(cluster).digest('hex').slice(0, 12)}`
  const fits = (folder: string) =>
    Buffer.byteLength(join(folder, `${name}-XXXXXX`)) <= longest && (!owner || ownerCan(owner, '-x', folder))
  const folder = join([tmpdir(), '/tmp'].find(fits) ?? '/tmp', name)
  return privateFolder(folder, owner) ?? privateFolder(mkdtempSync(`${folder}-`), owner)!
}

/** `folder` if it is, or can be made, a folder that only `owner` enters; anybody may have put one there first. */
export function privateFolder(folder: string, owner: Owner | undefined): string | undefined {
  const uid = owner?.uid ?? process.getuid?.()
  try {
    mkdirSync(folder, { mode: 0o700 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  const found = lstatSync(folder)
  if (!found.isDirectory() || (found.mode & 0o077) !== 0) return undefined
  if (owner && found.uid === 0) chownSync(folder, owner.uid, owner.gid)
  else if (found.uid !== uid) return undefined
  return folder
}

/**
 * Whether `owner` can enter root's `dataDir`, after giving the owner's group the right to pass through when
 * `dataDir` itself is the only obstacle and nobody loses or gains anything else by it.
 */
function letThrough(owner: Owner, dataDir: string): boolean {
  if (ownerCan(owner, '-x', dataDir)) return true
  const { uid, mode } = statSync(dataDir)
  if (uid !== 0 || (mode & 0o070) !== 0 || !ownerCan(owner, '-x', dirname(dataDir))) return false
  chownSync(dataDir, 0, owner.gid)
  chmodSync(dataDir, (mode & 0o7777) | 0o010)
  return ownerCan(owner, '-x', dataDir)
}

/**
 * Root's DATA_DIR below a private home such as /root: the cluster lives in a folder of its own that DATA_DIR
 * links to. The link is what counts (two starts at once: the first link wins), and it never dangles, because
 * the empty folder comes first.
 */
function placeElsewhere(entry: string, owner: Owner, log: { info(message: string): void }): void {
  mkdirSync(rootFolder, { recursive: true, mode: 0o755 })
  const home = mkdtempSync(join(rootFolder, `${basename(dirname(entry))}-`))
  chmodSync(home, 0o711)
  mkdirSync(join(home, 'postgres'), { mode: 0o700 })
  chownSync(join(home, 'postgres'), owner.uid, owner.gid)
  try {
    symlinkSync(join(home, 'postgres'), entry)
    log.info(`PostgreSQL cannot run as root nor enter ${dirname(entry)}: its data are in ${home}/postgres`)
  } catch (error) {
    rmSync(home, { recursive: true })
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

function realEntry(entry: string): string {
  const link = lstatSync(entry, { throwIfNoEntry: false })
  if (!link?.isSymbolicLink()) return entry
  try {
    return realpathSync(entry)
  } catch {
    throw new StartupError(
      `${entry} links to a folder that is missing; bring that folder back, or remove the link to start with an empty database`,
    )
  }
}
