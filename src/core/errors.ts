/** One error in a request. `path` names the field, such as `body.title` or `query.limit`. */
export interface FieldError {
  path: string
  message: string
}

/** All expected errors. Services throw them by code; the HTTP layer renders `status` and `title` (RFC 9457). */
const catalogue = {
  'bad-request': { status: 400, title: 'Bad Request' },
  unauthenticated: { status: 401, title: 'Unauthorized' },
  forbidden: { status: 403, title: 'Forbidden' },
  'not-found': { status: 404, title: 'Not Found' },
  'method-not-allowed': { status: 405, title: 'Method Not Allowed' },
  conflict: { status: 409, title: 'Conflict' },
  gone: { status: 410, title: 'Gone' },
  'precondition-failed': { status: 412, title: 'Precondition Failed' },
  'too-large': { status: 413, title: 'Content Too Large' },
  'range-not-satisfiable': { status: 416, title: 'Range Not Satisfiable' },
  'upgrade-required': { status: 426, title: 'Upgrade Required' },
  'unsupported-media-type': { status: 415, title: 'Unsupported Media Type' },
  'too-many-requests': { status: 429, title: 'Too Many Requests' },
  validation: { status: 422, title: 'Unprocessable Content' },
  upstream: { status: 502, title: 'Bad Gateway' },
  unavailable: { status: 503, title: 'Service Unavailable' },
  'insufficient-storage': { status: 507, title: 'Insufficient Storage' },
} as const

const titles = new Map<number, string>(Object.values(catalogue).map(({ status, title }) => [status, title]))

/** Returns the title of an HTTP status; undefined if no expected error has that status. */
export function statusTitle(status: number): string | undefined {
  return titles.get(status)
}

export type ErrorCode = keyof typeof catalogue

/** An expected error. The caller sees its message, so the message never contains a secret. */
export class DomainError extends Error {
  override readonly name = 'DomainError'
  readonly code: ErrorCode
  readonly errors: FieldError[] | undefined
  /** HTTP headers of the response, such as `Allow` or `WWW-Authenticate`. */
  readonly headers: Record<string, string>

  constructor(
    code: ErrorCode,
    detail: string,
    options: { errors?: FieldError[]; headers?: Record<string, string>; cause?: unknown } = {},
  ) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.errors = options.errors
    this.headers = options.headers ?? {}
  }

  get status(): number {
    return catalogue[this.code].status
  }

  get title(): string {
    return catalogue[this.code].title
  }
}

/** Returns true if a required service is unavailable, so that a retry may succeed. */
export function isUnavailable(error: unknown): boolean {
  return error instanceof DomainError && error.code === 'unavailable'
}

/** Creates a 422 that lists every error. */
export function validationError(errors: FieldError[]): DomainError {
  const detail = errors.map(({ path, message }) => `${path} ${message}`).join('; ')
  return new DomainError('validation', detail, { errors })
}

/** The server cannot start or a command cannot run; `message` is one line that says what to do. */
export class StartupError extends Error {
  override readonly name = 'StartupError'
}

/** Returns the message of a thrown value, followed by the messages of its causes. */
export function errorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const own = error.message || ('code' in error ? String(error.code) : error.name)
  const parts = error instanceof AggregateError && !error.message ? error.errors.map(errorText) : [own]
  if (error.cause !== undefined) parts.push(errorText(error.cause))
  return [...new Set(parts)].join(': ')
}
