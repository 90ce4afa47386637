/** What a key has used of its points, and for how long that stands; without meaning when it has used none. */
export interface Count {
  consumedPoints: number
  msBeforeNext: number
}

/** Counts by fixed windows, which start with the first point of a key. */
export interface RateCounter {
  add(key: string, points: number): Promise<Count>
  /** Counts nothing, and starts no window. */
  get(key: string): Promise<Count>
  /** Takes points off, down to zero at most. */
  subtract(key: string, points: number): Promise<unknown>
}

export interface Window {
  points: number
  seconds: number
  /** What its keys begin with, without a colon at the end. */
  keyPrefix: string
}

/** Makes the counter of a window, where no Redis counts. */
export type CounterFactory = (window: Window) => RateCounter
