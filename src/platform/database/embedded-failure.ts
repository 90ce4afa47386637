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

/** Whatever the start threw, as the one line that tells the operator what to do. */
export function explain(error: unknown, dataDir: string): StartupError {
  const text = errorText(error)
  if (/ENOSPC|EDQUOT|No space left on device|Disk quota exceeded/.test(text)) {
    return new StartupError(
      `no space left on the disk of DATA_DIR ${dataDir}${freeSpace(dataDir)}; make room and start again`,
    )
  }
  if (error instanceof StartupError) return error
  // Of a folder below one that is read-only, Node says that it cannot find it.
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
