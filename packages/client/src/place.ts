import type { TaskwireEvent } from './api-types.ts'
import { TaskwireError } from './error.ts'
import type { Piece } from './event-connection.ts'

/** Events may be missing here: read the data you show again. The events that follow are complete. */
export interface Reset {
  type: 'reset'
  /** After which event they are missing, where that is known. */
  after: string | undefined
}

/**
 * Where a reader is in the stream: over any number of connections it gives each event once and in
 * order, or says that some are missing.
 */
export class Place {
  /** The last delivered event id, or the cursor that the server sent; undefined while neither is known. */
  #after: number | undefined
  /** The first message has to say whether all that was missed is still there. */
  #awaitsNotice = false
  #hasBegun = false

  constructor(after: string | number | undefined) {
    if (after === undefined) return
    this.#after = idOf(after)
    if (this.#after === undefined) throw new TypeError(`"${after}" is no id of an event`)
  }

  /** The query of the next connection. */
  get after(): number | undefined {
    return this.#after
  }

  /** A connection has been opened with `after`. */
  begin(): Reset | undefined {
    const isUnknown = this.#hasBegun && this.#after === undefined
    this.#hasBegun = true
    this.#awaitsNotice = this.#after !== undefined
    return isUnknown ? { type: 'reset', after: undefined } : undefined
  }

  /** Returns what a message delivers; undefined: nothing. */
  take({ data, id }: Piece): TaskwireEvent | Reset | undefined {
    if (data === undefined) {
      this.#advance(idOf(id))
      return undefined
    }
    const envelope = parse(data)
    if (envelope.type === 'resumed') return this.#resumed(envelope.data)
    if (this.#awaitsNotice) throw garbage('an event before what was asked for', data)
    // A notice of a later version: only events have ids.
    if (envelope.id === undefined) return undefined
    const number = idOf(envelope.id)
    if (number === undefined) throw garbage('an event with a wrong id', data)
    return this.#advance(number) ? (envelope as TaskwireEvent) : undefined
  }

  #resumed(notice: unknown): Reset | undefined {
    this.#awaitsNotice = false
    if ((notice as { recovered?: unknown } | undefined)?.recovered === true) return undefined
    const after = this.#after === undefined ? undefined : String(this.#after)
    // Ids may be smaller from here on, as after a restore from a backup.
    this.#after = undefined
    return { type: 'reset', after }
  }

  /** False for where it has been. */
  #advance(id: number | undefined): boolean {
    if (id === undefined || (this.#after !== undefined && id <= this.#after)) return false
    this.#after = id
    return true
  }
}

interface Envelope {
  id?: unknown
  type: string
  data?: unknown
}

function parse(text: string): Envelope {
  try {
    const value = JSON.parse(text) as Envelope | null
    if (typeof value?.type === 'string') return value
  } catch {
    // The error is thrown below.
  }
  throw garbage('what is no event', text)
}

/** Ids are decimal and stay below 2^53. */
function idOf(id: unknown): number | undefined {
  return /^\d{1,15}$/.test(String(id)) ? Number(id) : undefined
}

function garbage(what: string, text: string): TaskwireError {
  return new TaskwireError(`The server told ${what}: ${text.slice(0, 80)}`)
}
