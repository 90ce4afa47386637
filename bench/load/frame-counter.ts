const MAX_HEADER = 10

/** Counts the unmasked frames in a stream of chunks (RFC 6455, section 5.2), and looks at nothing else. */
export class FrameCounter {
  texts = 0
  pings = 0
  /** Payload still to come of the frame that was begun. */
  #payload = 0
  /** The part of a header that ended a chunk. */
  #head = new Uint8Array(0)

  reset(): void {
    this.texts = 0
    this.pings = 0
  }

  read(chunk: Uint8Array): void {
    let at = 0
    while (at < chunk.length) {
      if (this.#payload > 0) {
        const taken = Math.min(this.#payload, chunk.length - at)
        this.#payload -= taken
        at += taken
        continue
      }
      const known = this.#head.length
      const head =
        known > 0 ? Buffer.concat([this.#head, chunk.subarray(at, at + MAX_HEADER)]) : chunk.subarray(at)
      const size = headerSize(head)
      if (head.length < size) {
        this.#head = Uint8Array.from(head)
        return
      }
      if (head[0] === 0x81) this.texts++
      else if (head[0] === 0x89) this.pings++
      this.#payload = payloadSize(head)
      this.#head = EMPTY
      at += size - known
    }
  }
}

const EMPTY = new Uint8Array(0)

function headerSize(head: Uint8Array): number {
  if (head.length < 2) return 2
  return head[1] === 127 ? 10 : head[1] === 126 ? 4 : 2
}

function payloadSize(head: Uint8Array): number {
  if (head[1]! < 126) return head[1]!
  const bytes = head.subarray(2, headerSize(head))
  return bytes.reduce((size, byte) => size * 256 + byte, 0)
}
