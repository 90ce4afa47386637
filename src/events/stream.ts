import { setImmediate as yieldToOthers } from 'node:timers/promises'
import type { Database } from '../database/database.ts'
import type { Logger } from '../logging/logger.ts'
import { type EventType, type Renderers, renderEnvelope, type StoredEvent } from './event-types.ts'
import { textFrame } from './frame.ts'
import { Relay } from './relay.ts'

/** Takes bytes that hold one or more whole frames, in order. The buffer is shared: do not change it. */
export type Sink = (frames: Buffer) => void

/** A reader's place in the stream. */
export interface Subscription {
  /** Starts delivery, with what happened since the subscription was made. */
  open(sink: Sink): void
  close(): void
}

/** Which events a reader gets. */
interface Filter {
  types: ReadonlySet<EventType>
  /** undefined: of everybody's things, and of nobody's. */
  owner: number | undefined
}

interface Frame {
  id: number
  type: EventType
  userId: number | null
  bytes: Buffer
}

interface Subscriber extends Filter {
  /** Events it must not get, since they were there before it came; undefined once all have passed. */
  skip: Set<number> | undefined
  /** While undefined, frames wait in `early`. */
  sink: Sink | undefined
  early: Frame[]
}

/** So many sockets are written to before other work of the event loop gets its turn. */
const FAN_OUT_SLICE = 1000
/** Frames are joined up to about this size, so that one write does not overrun a healthy reader. */
const JOINED_BYTES = 256 * 1024

/** The live events of this process: one relay, each event rendered once, any number of readers. */
export class EventStream implements AsyncDisposable {
  readonly #relay: Relay
  readonly #renderers: Renderers
  readonly #subscribers = new Set<Subscriber>()

  constructor(db: Database, log: Logger, renderers: Renderers) {
    this.#renderers = renderers
    this.#relay = new Relay(db, log, (events) => this.#broadcast(events))
  }

  start(): Promise<void> {
    return this.#relay.start()
  }

  /** Call after a commit that told an event. */
  wake(): void {
    this.#relay.wake()
  }

  /**
   * A place in the stream that begins now: it gets every event that becomes visible from some moment
   * before this resolves, and none that was visible when it was called. With an `owner` it gets only
   * the events of this user's things. Share one `types` set among all readers of a channel: they then
   * share frames too.
   */
  async subscribe(types: ReadonlySet<EventType>, owner?: number): Promise<Subscription> {
    await this.#relay.activate()
    const subscriber: Subscriber = { types, owner, skip: new Set(), sink: undefined, early: [] }
    // From here on nothing is missed; what is visible already is taken out again.
    this.#subscribers.add(subscriber)
    try {
      const ids = await this.#relay.visibleAhead()
      subscriber.early = subscriber.early.filter(({ id }) => !ids.delete(id))
      subscriber.skip = ids.size > 0 ? ids : undefined
    } catch (error) {
      this.#remove(subscriber)
      throw error
    }
    return {
      open(sink) {
        for (const frame of subscriber.early.splice(0)) if (isFor(frame, subscriber)) sink(frame.bytes)
        subscriber.sink = sink
      },
      close: () => this.#remove(subscriber),
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#relay[Symbol.asyncDispose]()
  }

  #remove(subscriber: Subscriber): void {
    if (this.#subscribers.delete(subscriber)) this.#relay.deactivate()
  }

  async #broadcast(events: readonly StoredEvent[]): Promise<void> {
    // A copy: who comes while this waits has its place behind all these events.
    const subscribers = [...this.#subscribers]
    for (const frames of portions(events.map((event) => this.#render(event)))) {
      const joined = new JoinedFrames(frames)
      let written = 0
      for (const subscriber of subscribers) {
        if (!this.#subscribers.has(subscriber)) continue
        if (subscriber.skip || !subscriber.sink) {
          deliverOneByOne(subscriber, frames)
        } else {
          const bytes = joined.for(subscriber)
          if (bytes.length > 0) subscriber.sink(bytes)
        }
        if (++written % FAN_OUT_SLICE === 0) await yieldToOthers()
      }
      await yieldToOthers()
    }
  }

  #render(event: StoredEvent): Frame {
    const { id, type, user_id: userId } = event
    // Of a later version on the same database: nobody here reads its type.
    if (!Object.hasOwn(this.#renderers, type)) return { id, type, userId, bytes: NOTHING }
    return { id, type, userId, bytes: textFrame(renderEnvelope(event, this.#renderers)) }
  }
}

const NOTHING = Buffer.alloc(0)

function isFor({ type, userId }: Frame, { types, owner }: Filter): boolean {
  return types.has(type) && (owner === undefined || owner === userId)
}

/** The frames of a portion, joined once for each kind of reader. */
class JoinedFrames {
  readonly #frames: readonly Frame[]
  readonly #owners: ReadonlySet<number | null>
  readonly #joined = new Map<ReadonlySet<EventType>, Map<number | undefined, Buffer>>()

  constructor(frames: readonly Frame[]) {
    this.#frames = frames
    this.#owners = new Set(frames.map(({ userId }) => userId))
  }

  for(filter: Filter): Buffer {
    if (filter.owner !== undefined && !this.#owners.has(filter.owner)) return NOTHING
    const byOwner = this.#joined.get(filter.types) ?? new Map<number | undefined, Buffer>()
    const bytes = byOwner.get(filter.owner) ?? this.#join(filter)
    this.#joined.set(filter.types, byOwner.set(filter.owner, bytes))
    return bytes
  }

  #join(filter: Filter): Buffer {
    const wanted = this.#frames.filter((frame) => isFor(frame, filter))
    return wanted.length === 1 ? wanted[0]!.bytes : Buffer.concat(wanted.map(({ bytes }) => bytes))
  }
}

function deliverOneByOne(subscriber: Subscriber, frames: readonly Frame[]): void {
  for (const frame of frames) {
    if (subscriber.skip?.delete(frame.id)) {
      if (subscriber.skip.size === 0) subscriber.skip = undefined
    } else if (!subscriber.sink) {
      subscriber.early.push(frame)
    } else if (isFor(frame, subscriber)) {
      subscriber.sink(frame.bytes)
    }
  }
}

function* portions(frames: readonly Frame[]): Generator<readonly Frame[]> {
  let start = 0
  let size = 0
  for (let end = 0; end < frames.length; end++) {
    size += frames[end]!.bytes.length
    if (size < JOINED_BYTES && end + 1 < frames.length) continue
    yield frames.slice(start, end + 1)
    start = end + 1
    size = 0
  }
}
