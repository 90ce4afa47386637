import { randomBytes } from 'node:crypto'
import {
  closeSync,
  fstatSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { errorText, StartupError } from '../../core/errors.ts'
import type { Config } from '../../platform/config/config.ts'
import type { Logger } from '../../platform/logging/logger.ts'

/** Matches one line of printable characters, at least as long as `SECRET_KEY` has to be. */
const KEY = /^[\x21-\x7e]{32,}$/

/**
 * Returns the keys of tokens: those of `SECRET_KEY`, or the one in `DATA_DIR/secret-key`, which the first start
 * creates. The first key signs, all are accepted. Concurrent starts end with the same key.
 *
 * @throws StartupError in one line when the file cannot be used, or is open to others
 */
export function loadSecretKeys(
  config: Pick<Config, 'SECRET_KEY' | 'DATA_DIR' | 'DATABASE_URL'>,
  log: Logger,
): string[] {
  if (config.SECRET_KEY.length > 0) return config.SECRET_KEY
  const file = join(config.DATA_DIR, 'secret-key')
  const key = keptKey(config.DATA_DIR, file, log)
  if (config.DATABASE_URL) {
    log.warn(
      `SECRET_KEY is not set, so the key in ${file} is used: other processes on the same DATABASE_URL need the same SECRET_KEY`,
    )
  }
  return [key]
}

function keptKey(dataDir: string, file: string, log: Logger): string {
  try {
    const found = readKey(file)
    if (found !== undefined) return found
    makeKey(dataDir, file)
    log.info(`created a secret key for tokens in ${file}`)
    return readKey(file)!
  } catch (error) {
    if (error instanceof StartupError) throw error
    throw new StartupError(
      `SECRET_KEY is not set, and a key cannot be kept in ${file} (${errorText(error)}); allow this user to read and write there, or set SECRET_KEY`,
    )
  }
}

/** Reads the key; undefined if the file does not exist. */
function readKey(file: string): string | undefined {
  let handle: number
  try {
    handle = openSync(file, 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  try {
    // Windows has no such permission bits; the folders of a user are private by inheritance.
    if (process.platform !== 'win32' && (fstatSync(handle).mode & 0o077) !== 0) {
      throw new StartupError(
        `${file} can be read or changed by others, who could make tokens with it; run chmod 600 on it, and remove it if they may have read it (everybody then logs in again)`,
      )
    }
    const key = readFileSync(handle, 'utf8').trim()
    if (KEY.test(key)) return key
    throw new StartupError(
      `${file} does not hold a key, which is one line of at least 32 characters; bring it back from a backup, or remove it for a new one (everybody then logs in again)`,
    )
  } finally {
    closeSync(handle)
  }
}

/** Writes the key and links it to its name. The first of several processes wins; the key is complete and on disk. */
function makeKey(dataDir: string, file: string): void {
  // The user of the embedded PostgreSQL must be able to traverse root's DATA_DIR.
  mkdirSync(dataDir, { recursive: true, mode: process.getuid?.() === 0 ? 0o711 : 0o700 })
  const draft = `${file}.${randomBytes(6).toString('hex')}`
  try {
    writeFileSync(draft, `${randomBytes(32).toString('base64url')}\n`, {
      mode: 0o600,
      flag: 'wx',
      flush: true,
    })
    linkSync(draft, file)
    syncFolder(dataDir)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    rmSync(draft, { force: true })
  }
}

function syncFolder(folder: string): void {
  if (process.platform === 'win32') return // Windows cannot open a folder
  const handle = openSync(folder, 'r')
  fsyncSync(handle)
  closeSync(handle)
}
