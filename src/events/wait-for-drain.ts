import type { Writable } from 'node:stream'

/** With less than this unsent there is room for more. */
const ROOM_BYTES = 256 * 1024

/** Resolves when a connection has taken most of what was written to it, or is gone. */
export function waitForDrain(wire: Writable): Promise<void> {
  if (wire.writableLength <= ROOM_BYTES || wire.destroyed) return Promise.resolve()
  return new Promise((resolve) => {
    const done = () => {
      wire.off('drain', done).off('close', done)
      resolve()
    }
    wire.on('drain', done).on('close', done)
  })
}
