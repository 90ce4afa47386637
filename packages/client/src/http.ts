import { delay, fullJitter } from './backoff.ts'
import type { Credentials } from './credentials.ts'
import { within } from './deadline.ts'
import { noAnswer, refusal, TaskwireError } from './error.ts'

/** One request, as it goes out; it can be sent again as it is. */
export interface Call {
  method: string
  /** Below the address of the server, with the query. */
  path: string
  headers: Headers
  body?: Body | undefined
}

export type Body = string | FormData | URLSearchParams | Blob | ArrayBuffer

export interface SendOptions {
  /** Milliseconds for each attempt, its answer read. */
  timeoutMs: number
  signal?: AbortSignal | undefined
  /** Whether it may be sent again although the server may have done it already. */
  canRepeat: () => boolean
}

export interface Answer<T> {
  data: T
  status: number
  headers: Headers
}

/** Maximum wait before a retry. A longer Retry-After is returned to the caller as an error. */
const MOST_PATIENCE_MS = 60_000
const PAUSE = { minMs: 250, maxMs: 5_000 }
/** Statuses that may pass: 0 without a response, and those of a server without its database or a proxy without its server. */
const passing = new Set([0, 502, 503, 504])

/** HTTP to one server. */
export class Http {
  readonly #url: string
  readonly #fetch: typeof fetch
  readonly #retries: number
  readonly #credentials: Credentials | undefined

  constructor(options: {
    url: string
    fetch: typeof fetch
    /** Attempts beyond the first. */
    retries: number
    credentials?: Credentials | undefined
  }) {
    this.#url = options.url
    this.#fetch = options.fetch
    this.#retries = options.retries
    this.#credentials = options.credentials
  }

  /** One attempt, or two when the first token is not taken; resolves to a success whose body is not read. */
  async open(call: Call, signal: AbortSignal): Promise<Response> {
    const token = await this.#credentials?.token()
    let response = await this.#attempt(call, token, signal)
    if (response.status === 401 && this.#credentials) {
      const other = await this.#credentials.renew(token)
      if (other !== undefined) {
        await response.body?.cancel()
        response = await this.#attempt(call, other, signal)
      }
    }
    if (!response.ok) throw await refusal(response)
    return response
  }

  /** Sends until there is an answer, as often as that is safe. */
  async send(call: Call, options: SendOptions): Promise<Answer<unknown>> {
    const { signal, timeoutMs } = options
    for (let attempt = 0; ; attempt++) {
      try {
        return await within(timeoutMs, signal, async (ends) => {
          const response = await this.open(call, ends)
          return answered(read(response), ends)
        })
      } catch (error) {
        const pause = attempt < this.#retries ? pauseAfter(error, attempt, options) : undefined
        if (pause === undefined) throw error
        await delay(pause, signal)
      }
    }
  }

  #attempt({ path, ...call }: Call, token: string | undefined, signal: AbortSignal): Promise<Response> {
    const headers = new Headers(call.headers)
    if (token !== undefined) headers.set('authorization', `Bearer ${token}`)
    // Called as a function: browsers refuse `fetch` as a method of something else.
    const send = this.#fetch
    return answered(send(this.#url + path, { ...call, headers, signal } as RequestInit), signal)
  }
}

/** Distinguishes a connection that failed from one that was aborted here. */
async function answered<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  try {
    return await promise
  } catch (error) {
    if (signal.aborted) throw signal.reason
    throw error instanceof TaskwireError ? error : noAnswer(error)
  }
}

/** Milliseconds; undefined: it is not to be sent again. */
function pauseAfter(error: unknown, attempt: number, { canRepeat }: SendOptions): number | undefined {
  if (!(error instanceof TaskwireError)) return undefined
  const { status, retryAfterMs = 0 } = error
  // 429 comes before anything is done; 409 with Retry-After means that the first attempt is still running.
  const isWorthIt =
    status === 429 || ((passing.has(status) || (status === 409 && retryAfterMs > 0)) && canRepeat())
  if (!isWorthIt || retryAfterMs > MOST_PATIENCE_MS) return undefined
  return retryAfterMs + fullJitter(attempt, PAUSE)
}

async function read(response: Response): Promise<Answer<unknown>> {
  const { status, headers } = response
  return { data: await bodyOf(response), status, headers }
}

async function bodyOf(response: Response): Promise<unknown> {
  const type = response.headers.get('content-type') ?? ''
  if (/^text\//.test(type)) return response.text()
  if (type && !/\bjson\b/.test(type)) return response.blob()
  const text = await response.text()
  if (text === '') return undefined
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new TaskwireError('The answer is not JSON', { status: response.status, cause })
  }
}
