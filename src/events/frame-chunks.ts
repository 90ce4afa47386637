import type { Frame } from './frame.ts'

/** Frames are joined up to about this size, so that one write does not overrun a healthy reader. */
const JOINED_BYTES = 256 * 1024

/** Yields the frames in chunks of about `JOINED_BYTES`. */
export function* frameChunks(frames: readonly Frame[]): Generator<readonly Frame[]> {
  let start = 0
  let size = 0
  for (let end = 0; end < frames.length; end++) {
    size += frames[end]!.text.length
    if (size < JOINED_BYTES && end + 1 < frames.length) continue
    yield frames.slice(start, end + 1)
    start = end + 1
    size = 0
  }
}
