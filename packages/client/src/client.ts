import {
  type Credentials,
  fromStore,
  fromToken,
  type TokenSource,
  type TokenStore,
  type Tokens,
} from './credentials.ts'
import { TaskwireError } from './error.ts'
import { type EventsOptions, type EventType, events, type StreamItem } from './events.ts'
import { Http } from './http.ts'
import { createRequest, type Request } from './request.ts'
import { createTasks, type Tasks } from './tasks.ts'

export interface ClientOptions {
  /** Address of the server, such as `http://localhost:8000`. In a page that it serves, an empty text will do. */
  url: string
  /** An API token or an access token, or a function that is asked for one for each request. */
  token?: string | TokenSource | undefined
  /** The tokens of a session, which are refreshed when the server no longer takes them. */
  session?: TokenStore | undefined
  /** Milliseconds for each attempt of a request: 30 000. */
  timeoutMs?: number | undefined
  /** Attempts beyond the first, where another one is safe: 4. */
  retries?: number | undefined
  /** In place of the global one. */
  fetch?: typeof fetch | undefined
}

export interface Taskwire {
  tasks: Tasks
  /** Any operation of the API, such as `request('POST /importers/{name}/run', { path: { name: 'todos' } })`. */
  request: Request
  /**
   * The live events, each once and in order, for as long as the loop over them runs: it connects again by
   * itself and goes on where it was. Where the server no longer has all that was missed, an item
   * `{type: 'reset'}` says so. Throws TaskwireError when the server refuses, as with 401 or 403.
   */
  events<Type extends EventType = EventType>(
    options?: EventsOptions<Type>,
  ): AsyncIterableIterator<StreamItem<Type>>
}

/** A refresh token that comes again later than 10 s after its first use counts as stolen; pauses come on top. */
const REFRESH_AGAIN_MS = 5_000

/** A client of one server. Makes no connection yet; throws TypeError for options that cannot be meant. */
export function createClient(options: ClientOptions): Taskwire {
  const { token, session, timeoutMs = 30_000, retries = 4 } = options
  if (token !== undefined && session) throw new TypeError('Give a token or a session, not both')
  const url = baseOf(options.url)
  // Looked up for each call, so that what replaces it later is used too.
  const send: typeof fetch = options.fetch ?? ((...call) => globalThis.fetch(...call))
  const http = (credentials?: Credentials) => new Http({ url, fetch: send, retries, credentials })

  const anonymous = http()
  const known = session
    ? http(fromStore(session, (refreshToken) => refresh(anonymous, refreshToken, timeoutMs)))
    : http(token === undefined ? undefined : fromToken(token))
  const request = createRequest(known, anonymous, timeoutMs)
  return {
    tasks: createTasks(request),
    request,
    events: (eventsOptions = {}) => events(known, timeoutMs, eventsOptions),
  }
}

/** Returns the base to which paths are appended. */
function baseOf(url: string): string {
  if (url !== '' && !/^(?:https?:\/\/|\/)/i.test(url)) {
    throw new TypeError(`"${url}" is no address of a server, such as http://localhost:8000`)
  }
  return url.replace(/\/+$/, '')
}

async function refresh(http: Http, refreshToken: string, timeoutMs: number): Promise<Tokens> {
  const until = Date.now() + REFRESH_AGAIN_MS
  const { data } = await http.send(
    {
      method: 'POST',
      path: '/auth/refresh',
      headers: new Headers({ accept: 'application/json', 'content-type': 'application/json' }),
      body: JSON.stringify({ refresh_token: refreshToken }),
    },
    { timeoutMs, canRepeat: () => Date.now() < until },
  )
  const { access_token, refresh_token } = (data ?? {}) as Partial<Tokens>
  if (access_token === undefined || refresh_token === undefined) {
    throw new TaskwireError('The server refreshed the session, and told no tokens', { status: 200 })
  }
  return { access_token, refresh_token }
}
