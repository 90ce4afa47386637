import {
  createClient,
  type EventType,
  type StreamState,
  TaskwireError,
  type TaskwireEvent,
} from '../../packages/client/src/index.ts'
import { errorText, StartupError } from '../core/errors.ts'
import { channels } from '../events/event-types.ts'
import type { Console } from './console.ts'
import { TOKEN_ADVICE } from './context.ts'
import { printable } from './table.ts'

export interface WatchOptions {
  /** Address of the server, such as http://localhost:8000. */
  url: string
  /** A stream by its address, such as /ws/tasks. */
  path: string
  /** Print events as they come, one JSON a line. */
  json: boolean
  /** The id of an event: what came after it is printed first. */
  after: string | undefined
  /** Sent as a bearer token. */
  token: string | undefined
}

const streams: Readonly<Record<string, readonly EventType[] | undefined>> = {
  '/ws': undefined,
  ...Object.fromEntries(Object.entries(channels).map(([name, types]) => [`/ws/${name}`, types])),
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
  const { url, path, json, after, token } = options
  if (!Object.hasOwn(streams, path)) {
    throw new StartupError(`There is no stream "${path}"; there are ${Object.keys(streams).join(', ')}.`)
  }
  const onState = (state: StreamState) => {
    if (state.state === 'live') console.err(`Listening on ${url} (Ctrl-C ends it)`)
    if (state.state !== 'waiting') return
    const seconds = (state.delayMs / 1000).toFixed(1)
    console.err(`${failureText(state.reason)}; trying again in ${seconds} s`)
  }
  try {
    for await (const item of createClient({ url, token }).events({
      after,
      types: streams[path],
      signal,
      onState,
    })) {
      if (item.type === 'reset') {
        console.err('Some of what was missed is no longer kept; going on with what comes')
      } else {
        console.out(json ? steeringEscaped(JSON.stringify(item)) : printable(describe(item)))
      }
    }
  } catch (error) {
    if (!(error instanceof TaskwireError)) throw error
    const text = failureText(error)
    if (error.status !== 401) throw new StartupError(`${text}: ${printable(error.message)}`)
    throw new StartupError(`${token === undefined ? 'The server asks for a token' : text}; ${TOKEN_ADVICE}`)
  }
}

function failureText(reason: Error): string {
  if (!(reason instanceof TaskwireError)) return errorText(reason)
  if (reason.status > 0) return `The server refused the connection (${reason.status})`
  return printable(reason.message.replace(/^No answer: /, 'Not connected: '))
}

/** JSON says the same with them escaped; of those below a blank it has none that are not. */
function steeringEscaped(json: string): string {
  return json.replace(/[\x7f-\x9f]/g, (character) => `\\u00${character.charCodeAt(0).toString(16)}`)
}

function describe({ type, at, data }: TaskwireEvent): string {
  const time = at.slice(11, 19)
  if ('task' in data) return `${time} ${type} #${data.task.id} "${data.task.title}" (${data.task.status})`
  if ('task_id' in data) return `${time} ${type} #${data.task_id}`
  return `${time} ${type} ${JSON.stringify(data)}`
}
