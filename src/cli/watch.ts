import { setTimeout as delay } from 'node:timers/promises'
import { WebSocket } from 'ws'
import { errorText } from '../core/errors.ts'
import type { Console } from './console.ts'

/** The server pings every 25 s; silence for longer means that it is gone. */
const SILENCE_MS = 45_000
const BACKOFF_MS = { min: 500, max: 15_000 }

export interface WatchOptions {
  /** Address of the server, such as http://localhost:8000. */
  url: string
  path: string
  /** Print events as they come, one JSON a line. */
  json: boolean
}

interface Event {
  type: string
  at: string
  data: { task?: { id: number; title: string; status: string }; task_id?: number }
}

/** `taskwire watch`: prints events until `signal` is aborted, and connects again whenever it must. */
export async function watchCommand(
  options: WatchOptions,
  console: Console,
  signal: AbortSignal,
): Promise<void> {
  const url = new URL(options.path, options.url.replace(/^http/, 'ws'))
  let wait = BACKOFF_MS.min
  while (!signal.aborted) {
    const reason = await listen(url, signal, {
      opened: () => {
        wait = BACKOFF_MS.min
        console.err(`Listening on ${url} (Ctrl-C ends it)`)
      },
      message: (text) => console.out(options.json ? text : describe(JSON.parse(text))),
    })
    if (signal.aborted) return
    // Jitter, so that the clients of a server that restarts do not come back all at once.
    const pause = Math.round(wait * (0.5 + Math.random() / 2))
    console.err(`${reason}; trying again in ${(pause / 1000).toFixed(1)} s`)
    await delay(pause, undefined, { signal }).catch(() => {})
    wait = Math.min(wait * 2, BACKOFF_MS.max)
  }
}

/** One connection, from its opening to its end; resolves to why it ended. */
function listen(
  url: URL,
  signal: AbortSignal,
  on: { opened: () => void; message: (text: string) => void },
): Promise<string> {
  return new Promise((resolve) => {
    const socket = new WebSocket(url, { handshakeTimeout: 10_000 })
    let reason = ''
    let silence: NodeJS.Timeout | undefined
    const heard = () => {
      clearTimeout(silence)
      silence = setTimeout(() => {
        reason = 'The server is silent'
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
    socket.on('error', (error) => {
      reason = `Not connected: ${errorText(error)}`
    })
    socket.on('close', (code, text) => {
      clearTimeout(silence)
      signal.removeEventListener('abort', stop)
      resolve(reason || `The server closed the connection (${code}${text.length > 0 ? ` ${text}` : ''})`)
    })
    if (signal.aborted) stop()
  })
}

function describe({ type, at, data }: Event): string {
  const time = at.slice(11, 19)
  if (data.task) return `${time} ${type} #${data.task.id} "${data.task.title}" (${data.task.status})`
  if (data.task_id !== undefined) return `${time} ${type} #${data.task_id}`
  return `${time} ${type} ${JSON.stringify(data)}`
}
