/** The used points of a key, and the time until they expire. The time has no meaning if no points are used. */
export interface Count {
  consumedPoints: number
  msBeforeNext: number
}

/** A counter with fixed windows. A window starts with the first point of a key. */
export interface RateCounter {
  add(key: string, points: number): Promise<Count>
  /** Reads the count without starting a window. */
  get(key: string): Promise<Count>
  /** Gives points back. The count does not fall below zero. */
  subtract(key: string, points: number): Promise<unknown>
}

export interface Window {
  points: number
  seconds: number
  /** Prefix of the keys, without a colon at the end. */
  keyPrefix: string
}

/** Creates a counter, for servers without Redis. */
export type CounterFactory = (window: Window) => RateCounter
