import type { Writable } from 'node:stream'

/** A connection with at most this many unsent bytes has capacity for more. */
const CAPACITY_BYTES = 256 * 1024

/** Resolves when a connection has taken most of what was written to it, or is closed. */
export function waitForDrain(wire: Writable): Promise<void> {
  if (wire.writableLength <= CAPACITY_BYTES || wire.destroyed) return Promise.resolve()
  return new Promise((resolve) => {
    const done = () => {
      wire.off('drain', done).off('close', done)
      resolve()
    }
    wire.on('drain', done).on('close', done)
  })
}
