import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { StartupError } from '../../core/errors.ts'
import type { Binaries } from './embedded-binaries.ts'
import { complaint } from './embedded-failure.ts'
import type { ClusterLocation } from './embedded-location.ts'

/**
 * PostgreSQL gets none of the server's environment: its messages stay English, and it cannot read secrets.
 * On Windows its programs call each other through what the environment says.
 */
export const environment =
  process.platform === 'win32' ? undefined : { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' }

/**
 * The full-text parser asks LC_CTYPE what a letter is: under C the word of «Привет» keeps its quotes. macOS has
 * no C.UTF-8. Case and order come from the builtin provider and never depend on the machine.
 */
const characterTypes = process.platform === 'win32' ? ['C'] : ['C.UTF-8', 'en_US.UTF-8', 'C']

/**
 * Makes sure that `place.cluster` holds a cluster of our major version with the database, and returns the
 * password of its users `postgres` (superuser) and `taskwire` (owner of the database).
 *
 * A new cluster is made in a folder beside it and renamed when it is complete and on disk, so a cluster is
 * there either whole or not at all.
 *
 * @throws StartupError for a foreign folder, another major version, or what initdb complains about
 */
export async function ensureCluster(place: ClusterLocation, binaries: Binaries): Promise<string> {
  const { cluster } = place
  const file = passwordFile(place)
  const names = existsSync(cluster) ? readdirSync(cluster) : []
  if (names.length === 0) {
    const password = existsSync(file) ? readPassword(place) : newPassword(file)
    await make(place, binaries, password)
    return password
  }
  checkVersion(place, binaries, names)
  // PostgreSQL wants 0700 or 0750; a restored backup or the fsGroup of Kubernetes may have widened it.
  if (process.platform !== 'win32' && (statSync(cluster).mode & 0o027) !== 0) chmodSync(cluster, 0o700)
  return existsSync(file) ? readPassword(place) : newPassword(file)
}

function passwordFile({ dataDir }: ClusterLocation): string {
  return join(dataDir, 'postgres.password')
}

/**
 * Gives role and database what the connection needs, whatever is there already. Runs in single-user mode, so
 * the cluster must be down and no password is asked for.
 */
export async function provision(
  place: ClusterLocation,
  binaries: Binaries,
  password: string,
  cluster = place.cluster,
): Promise<void> {
  const quoted = `'${password.replaceAll("'", "''")}'`
  const statements = [
    'CREATE ROLE taskwire LOGIN CREATEDB',
    `ALTER ROLE taskwire PASSWORD ${quoted}`,
    `ALTER ROLE postgres PASSWORD ${quoted}`,
    'CREATE DATABASE taskwire OWNER taskwire',
  ]
  const args = ['--single', '-D', cluster, '-c', 'shared_buffers=16MB', 'postgres']
  await run(place, binaries.postgres, args, statements.map((line) => `${line}\n`).join(''))
}

function checkVersion({ name, cluster }: ClusterLocation, { version }: Binaries, names: string[]): void {
  if (!names.includes('PG_VERSION')) {
    throw new StartupError(
      `${cluster} is not empty and not a PostgreSQL cluster; move it away or set another DATA_DIR`,
    )
  }
  const theirs = readFileSync(join(cluster, 'PG_VERSION'), 'utf8').trim()
  const ours = version.split('.')[0]
  if (theirs !== ours) {
    throw new StartupError(
      `DATA_DIR ${name} holds data of PostgreSQL ${theirs}, but this Taskwire runs PostgreSQL ${ours}; start the Taskwire that made them, or migrate them with pg_dump`,
    )
  }
}

async function make(place: ClusterLocation, binaries: Binaries, password: string): Promise<void> {
  const home = dirname(place.cluster)
  removeDrafts(home)
  const draft = mkdtempSync(join(home, 'postgres.initdb-'))
  const data = join(draft, 'data')
  const secret = join(draft, 'password')
  try {
    writeFileSync(secret, `${password}\n`, { mode: 0o600 })
    if (place.owner) for (const path of [secret, draft]) chownSync(path, place.owner.uid, place.owner.gid)
    await initdb(place, binaries, data, secret)
    await provision(place, binaries, password, data)
    await run(place, binaries.initdb, ['--sync-only', '-D', data])
    renameSync(data, place.cluster)
    syncFolder(home)
  } finally {
    removeDrafts(home)
  }
}

/**
 * Removes this draft and those of starts that were killed: none ever had its final name, so none holds data.
 * The orphaned initdb of one may write for another moment, hence the sweep before and after.
 */
function removeDrafts(home: string): void {
  for (const name of readdirSync(home)) {
    if (!name.startsWith('postgres.initdb-')) continue
    try {
      rmSync(join(home, name), { recursive: true, force: true })
    } catch {
      // The next sweep finds it still.
    }
  }
}

async function initdb(
  place: ClusterLocation,
  binaries: Binaries,
  data: string,
  secret: string,
): Promise<void> {
  const args = ['-D', data, '--username=postgres', '--auth=scram-sha-256', `--pwfile=${secret}`]
  args.push('--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8')
  // Synced once, when the database is in it, instead of twice.
  args.push('--data-checksums', '--no-sync', '--no-instructions')
  for (const type of characterTypes) {
    try {
      return void (await run(place, binaries.initdb, [...args, `--lc-ctype=${type}`]))
    } catch (error) {
      if (!String(error).includes('invalid locale name') || type === characterTypes.at(-1)) throw error
    }
  }
}

/** Runs one of PostgreSQL's programs as the owner to its end; its complaint becomes the error. */
async function run({ owner }: ClusterLocation, program: string, args: string[], input = ''): Promise<void> {
  const child = spawn(program, args, { ...owner, cwd: '/', env: environment, windowsHide: true })
  const ended = new Promise<number | string | null>((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', (code, signal) => resolve(code ?? signal))
  })
  child.stdin.on('error', () => {}) // it may end without reading; its exit code tells
  child.stdin.end(input)
  const [code, , errors] = await Promise.all([ended, text(child.stdout), text(child.stderr)])
  if (code !== 0) throw new Error(complaint(errors) || `${program} ended with ${code}`)
}

function newPassword(file: string): string {
  const password = randomBytes(24).toString('base64url')
  const draft = `${file}.new`
  writeFileSync(draft, `${password}\n`, { mode: 0o600, flush: true })
  renameSync(draft, file)
  syncFolder(dirname(file))
  return password
}

/** The password that `ensureCluster` made. */
export function readPassword(place: ClusterLocation): string {
  return readFileSync(passwordFile(place), 'utf8').trim()
}

function syncFolder(folder: string): void {
  if (process.platform === 'win32') return // Windows cannot open a folder
  const handle = openSync(folder, 'r')
  fsyncSync(handle)
  closeSync(handle)
}
