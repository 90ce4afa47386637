import { DomainError, errorText } from '../../core/errors.ts'

const FULL = new Set(['ENOSPC', 'EDQUOT'])

/** Gives a disk without room the name that the edge renders as 507; other errors stay as they are. */
export function fullDisk(error: unknown): unknown {
  if (!(error instanceof Error && FULL.has(String((error as NodeJS.ErrnoException).code)))) return error
  return new DomainError('insufficient-storage', 'There is no room for it on the server.', {
    cause: new Error(errorText(error)),
  })
}
