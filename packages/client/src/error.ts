import type { Problem } from './api-types.ts'
import { retryAfterMs } from './backoff.ts'

/** Why a request failed, or why a stream of events ended. */
export class TaskwireError extends Error {
  override readonly name = 'TaskwireError'
  /** HTTP status of the response; 0 if there was none. */
  readonly status: number
  /** Problem details of the server (RFC 9457); undefined if something else responded, such as a proxy. */
  readonly problem: Problem | undefined
  /** Request id, which the server's log contains too. */
  readonly requestId: string | undefined
  /** How long the server asks to wait before the next attempt. */
  readonly retryAfterMs: number | undefined

  constructor(
    message: string,
    about: {
      status?: number
      problem?: Problem | undefined
      requestId?: string | undefined
      retryAfterMs?: number | undefined
      cause?: unknown
    } = {},
  ) {
    super(message, about.cause === undefined ? undefined : { cause: about.cause })
    this.status = about.status ?? 0
    this.problem = about.problem
    this.requestId = about.requestId
    this.retryAfterMs = about.retryAfterMs
  }
}

/** Reads the body of an unsuccessful response and returns it as an error. */
export async function refusal(response: Response): Promise<TaskwireError> {
  const { status, headers } = response
  const problem = await response.text().then(problemIn, () => undefined)
  return new TaskwireError(problem?.detail ?? `The server answered ${status}`, {
    status,
    problem,
    requestId: headers.get('x-request-id') ?? undefined,
    retryAfterMs: retryAfterMs(headers.get('retry-after')),
  })
}

/** Returns the error for a `fetch` that rejected, or for a body that ended too early. */
export function noAnswer(error: unknown, what = 'No answer'): TaskwireError {
  // `fetch failed` says nothing; Node has the reason in the cause, browsers keep it to themselves.
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  const code = (cause as { code?: unknown } | null)?.code
  const text = (cause instanceof Error && cause.message) || String(code ?? cause)
  return new TaskwireError(`${what}: ${text}`, { cause })
}

function problemIn(text: string): Problem | undefined {
  try {
    const value = JSON.parse(text) as Partial<Problem> | null
    return typeof value?.detail === 'string' && typeof value.status === 'number'
      ? (value as Problem)
      : undefined
  } catch {
    return undefined
  }
}
