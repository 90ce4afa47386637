import { DomainError, errorText } from '../../core/errors.ts'

// PostgreSQL, appendix A (error codes).
const SERIALIZATION_FAILURE = '40001'
const DEADLOCK_DETECTED = '40P01'
const LOCK_NOT_AVAILABLE = '55P03'

const NO_SUCH_PREPARED_STATEMENT = '26000'

/**
 * Failures that vanish when the whole transaction is run again. A statement is not there when the one that prepares
 * it, sent before it on the same connection, was cancelled; the driver has forgotten it by then.
 */
const RETRIED = new Set([SERIALIZATION_FAILURE, DEADLOCK_DETECTED, NO_SUCH_PREPARED_STATEMENT])

/** The server is starting, stopping, gone, full, or busy beyond the statement timeout or our retries: try later. */
const UNAVAILABLE = /^(08...|57P0.|57014|53...|58...|25006|26000|40001|40P01)$/

/** Errors of the socket and of the driver when a connection is refused, lost or unavailable. */
const SOCKET =
  /^(ECONNREFUSED|ECONNRESET|ECONNABORTED|EHOSTDOWN|ENETDOWN|ENOENT|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN|EACCES)$/
const DRIVER =
  /Connection terminated|Query read timeout|timeout exceeded when trying to connect|not queryable|Cannot use a pool after calling end/

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

export function isRetried(error: unknown): boolean {
  return RETRIED.has(codeOf(error))
}

/** True when the values of a statement are at fault: data exceptions, and violations of constraints. */
export function isBadData(error: unknown): boolean {
  return /^2[23]...$/.test(codeOf(error))
}

export function isLockTimeout(error: unknown): boolean {
  return codeOf(error) === LOCK_NOT_AVAILABLE
}

/** The driver's message when it closes a connection that returned nothing in time. */
const UNANSWERED = 'Query read timeout'

/**
 * True for the last words of a server that closes the connection, for the silence of one out of reach, and for a
 * connection that takes no writes: another may, once a failover is through.
 */
export function endsConnection(error: unknown): boolean {
  if (/^(08...|57P0.|25006)$/.test(codeOf(error))) return true
  return error instanceof Error && error.message === UNANSWERED
}

/** True when the database, not the statement, is at fault. */
function isUnavailable(error: unknown): boolean {
  const code = codeOf(error)
  if (UNAVAILABLE.test(code) || SOCKET.test(code)) return true
  if (error instanceof AggregateError) return error.errors.every(isUnavailable)
  return error instanceof Error && DRIVER.test(error.message)
}

/** Gives an unavailable database the name that the edge renders as 503; other errors stay as they are. */
export function translated(error: unknown): unknown {
  return isUnavailable(error) ? unavailable(error) : error
}

/** Returns the error `unavailable` for any cause, for when no connection can be opened. */
export function unavailable(error: unknown): DomainError {
  return new DomainError('unavailable', 'The database is not available; try again shortly.', {
    headers: { 'retry-after': '1' },
    cause: new Error(errorText(error)),
  })
}
