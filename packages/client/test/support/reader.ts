import { onTestFinished } from 'vitest'
import type { EventsOptions, StreamItem, StreamState, Taskwire } from '../../src/index.ts'

export interface Reader {
  items: StreamItem[]
  states: StreamState[]
  /** Ids of the events, and `reset` where some are missing. */
  ids(): string[]
  /** Resolves when the loop is over, to the error that ended it, if any. */
  done: Promise<unknown>
  stop(): void
}

/** Reads a stream into a list until the test is over. */
export function startReader(client: Taskwire, options: EventsOptions = {}): Reader {
  const ends = new AbortController()
  const items: StreamItem[] = []
  const states: StreamState[] = []
  const loop = async () => {
    const onState = (state: StreamState) => void states.push(state)
    const backoff = { minMs: 1, maxMs: 10 }
    for await (const item of client.events({ backoff, onState, signal: ends.signal, ...options })) {
      items.push(item)
    }
  }
  onTestFinished(() => ends.abort())
  return {
    items,
    states,
    ids: () => items.map((item) => (item.type === 'reset' ? 'reset' : item.id)),
    done: loop().then(
      () => undefined,
      (error: unknown) => error,
    ),
    stop: () => ends.abort(),
  }
}
