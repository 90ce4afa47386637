import { DomainError, errorText } from '../../core/errors.ts'

const FULL = new Set(['ENOSPC', 'EDQUOT'])

/** Turns the error of a full disk into `insufficient-storage` (507). Other errors are returned unchanged. */
export function fullDisk(error: unknown): unknown {
  if (!(error instanceof Error && FULL.has(String((error as NodeJS.ErrnoException).code)))) return error
  return new DomainError('insufficient-storage', 'The storage of the server is full.', {
    cause: new Error(errorText(error)),
  })
}
