import { within } from './deadline.ts'
import { noAnswer, TaskwireError } from './error.ts'
import type { Http } from './http.ts'
import { SseParser } from './sse-parser.ts'

/** A message of a connection: its data, or none if only the cursor has moved. */
export interface Piece {
  data: string | undefined
  /** The id of the place; an empty text where none is known. */
  id: string
}

/**
 * Opens `GET /events`. Server-Sent Events over `fetch` and not a WebSocket: a page can send a token in a
 * header, reads the status of a rejection and its Retry-After, receives the heartbeat and can stop reading. The
 * WebSocket of browsers allows none of these.
 */
export async function connect(
  http: Http,
  query: URLSearchParams,
  options: { signal: AbortSignal; timeoutMs: number },
): Promise<ReadableStreamDefaultReader<Uint8Array>> {
  const headers = new Headers({ accept: 'text/event-stream' })
  const call = { method: 'GET', path: `/events?${query}`, headers }
  const response = await within(options.timeoutMs, options.signal, (signal) => http.open(call, signal))
  const type = response.headers.get('content-type') ?? 'nothing'
  if (response.body && /^text\/event-stream\b/.test(type)) return response.body.getReader()
  await response.body?.cancel()
  throw new TaskwireError(`No stream of events is here, but ${type}`, { status: response.status })
}

/**
 * Reads no faster than it is iterated. Ends with the connection, or when `signal` is aborted; throws
 * TaskwireError when the connection fails, or is silent for `silenceMs` while it is being read.
 */
export async function* piecesOf(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  { signal, silenceMs }: { signal: AbortSignal; silenceMs: number },
): AsyncGenerator<Piece, void, undefined> {
  const parser = new SseParser()
  const decoder = new TextDecoder()
  // Ends a read that is under way, and the connection.
  const hangUp = () => void reader.cancel().catch(() => {})
  signal.addEventListener('abort', hangUp)
  try {
    for (let place = ''; !signal.aborted; ) {
      const bytes = await heard(reader, silenceMs, hangUp)
      if (!bytes) return
      for (const { data } of parser.push(decoder.decode(bytes, { stream: true }))) yield { data, id: '' }
      if (parser.lastId !== place) {
        place = parser.lastId
        yield { data: undefined, id: place }
      }
    }
  } finally {
    signal.removeEventListener('abort', hangUp)
    hangUp()
  }
}

/** The next bytes; undefined at the end. */
async function heard(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  silenceMs: number,
  hangUp: () => void,
): Promise<Uint8Array | undefined> {
  let isSilent = false
  const timer = setTimeout(() => {
    isSilent = true
    hangUp()
  }, silenceMs)
  try {
    const { value } = await reader.read()
    if (isSilent) throw new TaskwireError(`The server is silent for ${silenceMs / 1000} s`)
    return value
  } catch (error) {
    throw error instanceof TaskwireError ? error : noAnswer(error, 'The connection was lost')
  } finally {
    clearTimeout(timer)
  }
}
