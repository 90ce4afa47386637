import { setTimeout as delay } from 'node:timers/promises'
import { request } from 'undici'
import { WebSocket } from 'ws'
import { errorText, StartupError } from '../core/errors.ts'
import type { Console } from './console.ts'
import { TOKEN_ADVICE } from './context.ts'

/** The server pings every 25 s; silence for longer means that it is gone. */
const SILENCE_MS = 45_000
const BACKOFF_MS = { min: 500, max: 15_000 }
/** Answers to a handshake and close codes that stay the same however often one tries. */
const TOKEN_REFUSALS: ReadonlySet<number> = new Set([401, 4401, 4408])
const REFUSALS: ReadonlySet<number> = new Set([403, 4403, ...TOKEN_REFUSALS])

export interface WatchOptions {
  /** Address of the server, such as http://localhost:8000. */
  url: string
  path: string
  /** Print events as they come, one JSON a line. */
  json: boolean
  /** The id of an event: what came after it is printed first. */
  after: string | undefined
  /** Sent as a bearer token. */
  token: string | undefined
}

interface Event {
  id?: string
  type: string
  at: string
  data: {
    task?: { id: number; title: string; status: string }
    task_id?: number
    recovered?: boolean
  }
}

/**
 * `taskwire watch`: prints events until `signal` is aborted. Whenever it must connect again, it goes on
 * behind the last event that it printed.
 *
 * @throws StartupError when the server does not take the token, or wants one
 */
export async function watchCommand(
  options: WatchOptions,
  console: Console,
  signal: AbortSignal,
): Promise<void> {
  const url = new URL(options.path, options.url.replace(/^http/, 'ws'))
  if (options.after !== undefined) url.searchParams.set('after', options.after)
  let wait = BACKOFF_MS.min
  while (!signal.aborted) {
    const { reason, code } = await listen(url, options, signal, {
      opened: () => {
        wait = BACKOFF_MS.min
        console.err(`Listening on ${url} (Ctrl-C ends it)`)
      },
      message: (text) => {
        const event = JSON.parse(text) as Event
        if (event.id !== undefined) url.searchParams.set('after', event.id)
        if (event.type === 'resumed') {
          if (!event.data.recovered)
            console.err('Some of what was missed is no longer kept; going on with what comes')
        } else {
          console.out(options.json ? text : describe(event))
        }
      },
    })
    if (signal.aborted) return
    if (REFUSALS.has(code))
      throw new StartupError(TOKEN_REFUSALS.has(code) ? `${reason}; ${TOKEN_ADVICE}` : reason)
    // Jitter, so that the clients of a server that restarts do not come back all at once.
    const pause = Math.round(wait * (0.5 + Math.random() / 2))
    console.err(`${reason}; trying again in ${(pause / 1000).toFixed(1)} s`)
    await delay(pause, undefined, { signal }).catch(() => {})
    wait = Math.min(wait * 2, BACKOFF_MS.max)
  }
}

interface End {
  reason: string
  /** A close code, or the status of an answer that refused the handshake. */
  code: number
}

/** One connection, from its opening to its end; resolves to why it ended. */
async function listen(
  url: URL,
  { token }: Pick<WatchOptions, 'token'>,
  signal: AbortSignal,
  on: { opened: () => void; message: (text: string) => void },
): Promise<End> {
  if (token === undefined && (await wantsToken(url, signal)))
    return { reason: 'The server asks for a token', code: 401 }
  return new Promise((resolve) => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
    const socket = new WebSocket(url, { handshakeTimeout: 10_000, headers })
    let end: End | undefined
    let silence: NodeJS.Timeout | undefined
    const heard = () => {
      clearTimeout(silence)
      silence = setTimeout(() => {
        end ??= { reason: 'The server is silent', code: 0 }
        socket.terminate()
      }, SILENCE_MS)
    }
    const stop = () => socket.close(1000)
    signal.addEventListener('abort', stop, { once: true })
    socket.on('open', () => {
      heard()
      on.opened()
    })
    socket.on('ping', heard)
    socket.on('message', (data) => {
      heard()
      on.message(String(data))
    })
    socket.on('unexpected-response', (_request, { statusCode: code = 0 }) => {
      end ??= { reason: `The server refused the connection (${code})`, code }
      socket.terminate()
    })
    socket.on('error', (error) => {
      end ??= { reason: `Not connected: ${errorText(error)}`, code: 0 }
    })
    socket.on('close', (code, text) => {
      clearTimeout(silence)
      signal.removeEventListener('abort', stop)
      const told = text.length > 0 ? `${code} ${text}` : String(code)
      resolve(end ?? { reason: `The server closed the connection (${told})`, code })
    })
    if (signal.aborted) stop()
  })
}

/** A socket without a token may stay open for a while, as browsers send it later; a plain request is refused at once. */
async function wantsToken(url: URL, signal: AbortSignal): Promise<boolean> {
  const address = new URL(url.href.replace(/^ws/, 'http'))
  try {
    const { statusCode, body } = await request(address, { signal, headersTimeout: 10_000 })
    await body.dump()
    return statusCode === 401
  } catch {
    return false // The attempt that follows tells why.
  }
}

function describe({ type, at, data }: Event): string {
  const time = at.slice(11, 19)
  if (data.task) return `${time} ${type} #${data.task.id} "${data.task.title}" (${data.task.status})`
  if (data.task_id !== undefined) return `${time} ${type} #${data.task_id}`
  return `${time} ${type} ${JSON.stringify(data)}`
}
