import type { TaskwireEvent } from './api-types.ts'
import { type Backoff, delay, fullJitter } from './backoff.ts'
import { link } from './deadline.ts'
import { TaskwireError } from './error.ts'
import { connect, piecesOf } from './event-connection.ts'
import type { Http } from './http.ts'
import { Place, type Reset } from './place.ts'

export type EventType = TaskwireEvent['type']

/** The state of a stream. */
export type StreamState =
  | { state: 'connecting' }
  | { state: 'live' }
  | { state: 'waiting'; reason: Error; delayMs: number }

export interface EventsOptions<Type extends EventType = EventType> {
  /** The id of the last event you have: what came after it comes first. Absent: only what comes from now on. */
  after?: string | number | undefined
  /** Only these. */
  types?: readonly Type[] | undefined
  /** Ends the stream; the loop over it then ends as if there were no more events. */
  signal?: AbortSignal | undefined
  onState?: ((state: StreamState) => void) | undefined
  /** Time without any data after which the connection counts as dead; the server sends a heartbeat every 25 s. */
  silenceMs?: number | undefined
  /** Pauses before it connects again. */
  backoff?: Backoff | undefined
}

export type StreamItem<Type extends EventType = EventType> = Extract<TaskwireEvent, { type: Type }> | Reset

const SILENCE_MS = 45_000
const BACKOFF: Backoff = { minMs: 500, maxMs: 15_000 }
/** A connection that lasted so long was a success, also if nothing happened. */
const STEADY_MS = 10_000

/** Refusals that are never those of a proxy while the server restarts. */
const definite = new Set([401, 403, 422])
/** Timeout, too early, too many requests: the next attempt may fare better. */
const passing = new Set([408, 425, 429])

/**
 * Every event, each once and in order, over any number of connections. It connects with the first call
 * of `next`, and is read no faster than it is iterated. Throws TaskwireError when the server refuses.
 */
export function events<Type extends EventType>(
  http: Http,
  timeoutMs: number,
  options: EventsOptions<Type>,
): AsyncIterableIterator<StreamItem<Type>> {
  const ends = new AbortController()
  const items = follow(http, new Place(options.after), timeoutMs, options, ends)
  return {
    next: () => items.next() as Promise<IteratorResult<StreamItem<Type>>>,
    // A generator would first wait for the event that is being waited for.
    return: () => {
      ends.abort()
      return items.return() as Promise<IteratorResult<StreamItem<Type>>>
    },
    [Symbol.asyncIterator]() {
      return this
    },
  }
}

async function* follow(
  http: Http,
  place: Place,
  timeoutMs: number,
  options: EventsOptions,
  ends: AbortController,
): AsyncGenerator<TaskwireEvent | Reset, void, undefined> {
  const { types, silenceMs = SILENCE_MS, backoff = BACKOFF } = options
  const { signal } = ends
  const unlink = link(ends, options.signal)
  let failures = 0
  let wasLive = false
  try {
    while (!signal.aborted) {
      tell(options, { state: 'connecting' })
      let reason: unknown = new TaskwireError('The server closed the connection')
      let liveSince = Number.POSITIVE_INFINITY
      try {
        const reader = await connect(http, queryOf(place, types), { signal, timeoutMs })
        const pieces = piecesOf(reader, { signal, silenceMs })
        wasLive = true
        liveSince = Date.now()
        tell(options, { state: 'live' })
        const reset = place.begin()
        if (reset) yield reset
        for await (const piece of pieces) {
          const item = place.take(piece)
          if (!item) continue
          failures = 0
          yield item
        }
      } catch (error) {
        reason = error
      }
      if (signal.aborted) return
      if (isFinal(reason, wasLive)) throw reason
      if (Date.now() - liveSince > STEADY_MS) failures = 0
      const delayMs = fullJitter(failures++, backoff) + askedPause(reason)
      tell(options, { state: 'waiting', reason: asError(reason), delayMs })
      await delay(delayMs, signal).catch(() => {})
    }
  } finally {
    unlink()
  }
}

function askedPause(reason: unknown): number {
  return (reason instanceof TaskwireError && reason.retryAfterMs) || 0
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason))
}

function queryOf(place: Place, types: readonly EventType[] | undefined): URLSearchParams {
  const query = new URLSearchParams()
  if (place.after !== undefined) query.set('after', String(place.after))
  if (types) query.set('types', types.join())
  return query
}

/** Whether another attempt would end the same way. Once it was live, the address is known to be right. */
function isFinal(error: unknown, wasLive: boolean): boolean {
  if (!(error instanceof TaskwireError)) return false
  const { status } = error
  if (status === 0 || status >= 500 || passing.has(status)) return false
  return !wasLive || definite.has(status)
}

/** Calls the listener. An error that it throws does not end the stream; it is reported as an uncaught error. */
function tell({ onState }: EventsOptions, state: StreamState): void {
  try {
    onState?.(state)
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}
