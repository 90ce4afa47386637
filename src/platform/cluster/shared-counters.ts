import type { CounterFactory, RateCounter, Window } from '../rate-limit/index.ts'
import type { Channel } from './channel.ts'

type Operation = keyof RateCounter

interface Count {
  window: Window
  operation: Operation
  key: string
  points: number
}

/** Lets the primary process count for its workers; `create` makes the counter of a window. */
export function serveCounters(create: CounterFactory): (count: Count) => Promise<unknown> {
  const counters = new Map<string, RateCounter>()
  return async ({ window, operation, key, points }) => {
    let counter = counters.get(window.keyPrefix)
    if (!counter) {
      counter = create(window)
      counters.set(window.keyPrefix, counter)
    }
    return counter[operation](key, points)
  }
}

/** Counters that the primary process keeps, so that all workers count together. */
export function sharedCounters(channel: Channel): CounterFactory {
  return (window) => {
    const count = <T>(operation: Operation, key: string, points = 0) =>
      channel.call<T>('count', { window, operation, key, points } satisfies Count)
    return {
      add: (key, points) => count('add', key, points),
      get: (key) => count('get', key),
      subtract: (key, points) => count('subtract', key, points),
    }
  }
}
