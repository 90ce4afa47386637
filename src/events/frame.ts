import type { Audience, EventType } from './event-types.ts'

/** The encodings of an event: a WebSocket message, or a Server-Sent Event. */
export type Encoding = 'websocket' | 'sse'

const encoders: Record<Encoding, (text: string, id: number | undefined) => Buffer> = {
  websocket: textFrame,
  // HTML standard, section 9.2.6; an envelope has no line breaks.
  sse: (text, id) => Buffer.from(`${id === undefined ? '' : `id: ${id}\n`}data: ${text}\n\n`),
}

/** One event, rendered once and encoded once for each form in which it is read. */
export class Frame {
  readonly id: number
  readonly type: EventType
  readonly audience: Audience
  readonly text: string
  readonly #encoded: Partial<Record<Encoding, Buffer>> = {}

  constructor(event: { id: number; type: EventType; audience: Audience }, text: string) {
    this.id = event.id
    this.type = event.type
    this.audience = event.audience
    this.text = text
  }

  /** Shared: do not change it. */
  as(encoding: Encoding): Buffer {
    this.#encoded[encoding] ??= encoders[encoding](this.text, this.id)
    return this.#encoded[encoding]
  }
}

/** Returns a message that is no event of the table. It has no id, so that no reader takes it for a cursor. */
export function notice(encoding: Encoding, type: string, data: object): Buffer {
  return encoders[encoding](JSON.stringify({ type, data }), undefined)
}

/**
 * Returns the message that sends a reader of Server-Sent Events its cursor without an event. A block without data only
 * sets the id that is sent on reconnecting (HTML standard, section 9.2.6). WebSockets have no such message.
 */
export function cursorMark(encoding: Encoding, id: number): Buffer | undefined {
  return encoding === 'sse' ? Buffer.from(`id: ${id}\n\n`) : undefined
}

const TEXT = 0x81 // FIN and opcode 1

/** A whole unmasked text message as one WebSocket frame (RFC 6455, section 5.2). */
export function textFrame(text: string): Buffer {
  const length = Buffer.byteLength(text)
  const header = length < 126 ? 2 : length < 65_536 ? 4 : 10
  const frame = Buffer.allocUnsafe(header + length)
  frame[0] = TEXT
  if (header === 2) {
    frame[1] = length
  } else if (header === 4) {
    frame[1] = 126
    frame.writeUInt16BE(length, 2)
  } else {
    frame[1] = 127
    frame.writeBigUInt64BE(BigInt(length), 2)
  }
  frame.write(text, header)
  return frame
}
