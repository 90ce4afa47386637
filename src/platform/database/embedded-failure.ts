import { statfsSync } from 'node:fs'
import { errorText, StartupError } from '../../core/errors.ts'

/** The lines of PostgreSQL's `output` that say what went wrong, as one line without time stamps. */
export function complaint(output: string): string {
  const lines = output.split('\n').map((line) => line.trim())
  const telling = lines.filter((line) =>
    /(FATAL|PANIC|ERROR|[Ee]rror|could not|cannot|unrecognized|invalid|HINT):?\s/.test(line),
  )
  return (telling.length > 0 ? telling : lines.filter(Boolean))
    .slice(-3)
    .map((line) => line.replace(/^[-\d]+ [\d:.]+ UTC \[\d+\] /, ''))
    .join('; ')
}

/** Turns an error of the start into one line that says what the operator can do. */
export function explain(error: unknown, dataDir: string): StartupError {
  const text = errorText(error)
  if (/ENOSPC|EDQUOT|No space left on device|Disk quota exceeded/.test(text)) {
    return new StartupError(
      `no space left on the disk of DATA_DIR ${dataDir}${freeSpace(dataDir)}; make room and start again`,
    )
  }
  if (error instanceof StartupError) return error
  // Node reports a folder below a read-only one as missing.
  if (/^(EACCES|EPERM|EROFS)|^ENOENT: .*, mkdir/.test(text)) {
    return new StartupError(
      `DATA_DIR ${dataDir} is not writable by this user (${text}); allow it or set another DATA_DIR`,
    )
  }
  if (/^(EEXIST|ENOTDIR)/.test(text)) {
    return new StartupError(`DATA_DIR ${dataDir} is not a folder (${text}); set another DATA_DIR`)
  }
  return new StartupError(`PostgreSQL does not start in DATA_DIR ${dataDir}: ${text}`)
}

function freeSpace(folder: string): string {
  try {
    const { bavail, bsize } = statfsSync(folder)
    return ` (${Math.floor((bavail * bsize) / 1_000_000)} MB free)`
  } catch {
    return ''
  }
}
