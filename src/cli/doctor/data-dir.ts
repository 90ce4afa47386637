import { existsSync, rmSync, statfsSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { errorText, StartupError } from '../../core/errors.ts'
import { loadSecretKeys } from '../../features/auth/index.ts'
import type { Config } from '../../platform/config/config.ts'
import { type Finding, failure, ok, warning } from './finding.ts'
import { silent } from './silent.ts'

const MEGABYTE = 1_000_000
/** PostgreSQL's log alone may take half of the first; a new cluster takes half of the second. */
const PLENTY_BYTES = 1_000 * MEGABYTE
const NEEDED_BYTES = 100 * MEGABYTE

/** Whether DATA_DIR, or the folder it is to be made in, takes files and has room for them. */
export function checkDataDir({ DATA_DIR }: Config): Finding {
  const folder = nearestExisting(resolve(DATA_DIR))
  const isThere = folder === resolve(DATA_DIR)
  try {
    tryToWrite(folder)
  } catch (error) {
    return failure('data-dir', `DATA_DIR ${DATA_DIR} cannot be written: ${errorText(error)}`, adviceOn(error))
  }
  const { bavail, bsize, files, ffree } = statfsSync(folder)
  const free = bavail * bsize
  const room = `${Math.floor(free / MEGABYTE)} MB are free in DATA_DIR ${DATA_DIR}`
  if (free < NEEDED_BYTES) return failure('data-dir', `only ${room}`, 'make room on that disk')
  if (files > 0 && ffree === 0)
    return failure('data-dir', `DATA_DIR ${DATA_DIR} has no inode left`, 'remove files of that disk')
  if (free < PLENTY_BYTES) return warning('data-dir', `only ${room}`, 'make room on that disk soon')
  return ok('data-dir', isThere ? `${room}, which can be written` : `${room}, which the first start makes`)
}

/** Whether the key that tokens are made with can be used; one that is missing is made at the first start. */
export function checkSecretKey(config: Config): Finding {
  const file = join(config.DATA_DIR, 'secret-key')
  if (config.SECRET_KEY.length > 0) return ok('secret-key', 'SECRET_KEY is set')
  try {
    if (existsSync(file)) loadSecretKeys(config, silent)
  } catch (error) {
    if (!(error instanceof StartupError)) throw error
    const [message = '', ...advice] = error.message.split('; ')
    return failure('secret-key', message, advice.join('; '))
  }
  if (!config.DATABASE_URL) return ok('secret-key', `it is kept in ${file}`)
  return warning(
    'secret-key',
    `SECRET_KEY is not set, so it is kept in ${file}`,
    'set SECRET_KEY if several machines use this DATABASE_URL: they need the same one',
  )
}

function nearestExisting(folder: string): string {
  return existsSync(folder) || dirname(folder) === folder ? folder : nearestExisting(dirname(folder))
}

/** Writes a small file. Owners and modes do not show quotas, read-only mounts or access control lists; a write does. */
function tryToWrite(folder: string): void {
  if (!statSync(folder).isDirectory()) throw new Error('it is not a folder')
  const file = join(folder, `taskwire-doctor-${process.pid}`)
  try {
    writeFileSync(file, Buffer.alloc(64 * 1024, 1), { flag: 'wx', mode: 0o600, flush: true })
  } finally {
    rmSync(file, { force: true })
  }
}

function adviceOn(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException
  if (code === 'ENOSPC' || code === 'EDQUOT') return 'make room on that disk'
  if (code === 'EROFS') return 'mount that disk so that it can be written, or set another DATA_DIR'
  if (code === 'EACCES' || code === 'EPERM')
    return 'give the folder to the user that Taskwire runs as, or set another DATA_DIR'
  return 'set another DATA_DIR'
}
