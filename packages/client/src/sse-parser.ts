/** The fields of one block of an event stream. */
export interface Message {
  /** `message` where the block names none. */
  event: string
  data: string
  /** The last id of the stream so far; an empty text where there was none. */
  id: string
}

/** An event beyond this is not ours. */
const MAX_EVENT_LENGTH = 16 * 1024 * 1024
/** Approximate memory of an empty data line, in bytes. */
const LINE_LENGTH = 32

/**
 * Reads an event stream by the rules of the HTML standard, section 9.2.6, in pieces cut anywhere.
 * `retry` is left out: a reader has its own backoff.
 */
export class SseParser {
  #id = ''
  #event = ''
  #data: string[] = []
  #length = 0
  /** The beginning of a line of which the end has not come. */
  #rest = ''
  /** The last piece ended in CR: an LF that comes next belongs to it. */
  #endedInCr = false

  /** The last id, also of blocks without data, which are no messages. */
  lastId = ''

  /** The messages that are complete now. Throws RangeError when one is too long. */
  push(piece: string): Message[] {
    if (piece === '') return []
    const text = this.#endedInCr && piece.startsWith('\n') ? piece.slice(1) : piece
    this.#endedInCr = piece.endsWith('\r')
    const lines = text.split(/\r\n|\r|\n/)
    const messages: Message[] = []
    // Only now may a long line be put together: joined piece by piece, and searched once.
    lines[0] = this.#rest + lines[0]
    this.#rest = lines.pop()!
    for (const line of lines) {
      if (line === '') this.#dispatch(messages)
      else this.#take(line)
    }
    if (this.#rest.length + this.#length > MAX_EVENT_LENGTH) {
      throw new RangeError(`an event is longer than ${MAX_EVENT_LENGTH} characters`)
    }
    return messages
  }

  #take(line: string): void {
    const colon = line.indexOf(':')
    const field = colon === -1 ? line : line.slice(0, colon)
    const start = line[colon + 1] === ' ' ? colon + 2 : colon + 1
    const value = colon === -1 ? '' : line.slice(start)
    if (field === 'data') {
      this.#data.push(value)
      this.#length += value.length + LINE_LENGTH
    } else if (field === 'event') {
      this.#event = value
    } else if (field === 'id' && !value.includes('\0')) {
      this.#id = value
    }
  }

  #dispatch(messages: Message[]): void {
    this.lastId = this.#id
    const data = this.#data.join('\n')
    // One empty line of data is a message in the standard's words too: its buffer holds a line end.
    if (this.#data.length > 0) messages.push({ event: this.#event || 'message', data, id: this.#id })
    this.#data = []
    this.#length = 0
    this.#event = ''
  }
}
