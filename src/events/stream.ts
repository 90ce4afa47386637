import { setImmediate as yieldToOthers } from 'node:timers/promises'
import type { Database } from '../database/database.ts'
import type { Logger } from '../logging/logger.ts'
import { type Audience, Audiences, isFor, joinFor } from './audience.ts'
import { catchUp } from './catch-up.ts'
import { type Renderers, renderEnvelope, type StoredEvent } from './event-types.ts'
import { Frame, notice } from './frame.ts'
import { portions } from './portions.ts'
import { Relay } from './relay.ts'
import { canResume, readHorizon, readPage } from './replay.ts'

/** Takes bytes that hold one or more whole frames, in order. The buffer is shared: do not change it. */
export type Sink = (frames: Buffer) => void

/** What a replay needs of a connection beyond writing to it. */
export interface Flow {
  /** Resolves when the connection has taken most of what was written to it, or is gone. */
  room(): Promise<void>
  /** What the reader missed is no longer all there: it must be told to begin anew. */
  lost(): void
}

/** A reader's place in the stream. */
export interface Subscription {
  /** Starts delivery, with what happened since the subscription was made. */
  open(sink: Sink, flow: Flow): void
  close(): void
}

/** A reader who is given live events. */
interface Member {
  readonly audience: Audience
  /** It has been given everything up to this id. */
  readonly after: number
  /** Events it must not get, since they were there before it came; undefined once all have passed. */
  skip: Set<number> | undefined
  /** While undefined, frames wait in `early`. */
  sink: Sink | undefined
  early: Frame[]
  gone: boolean
}

/** So many sockets are written to before other work of the event loop gets its turn. */
const FAN_OUT_SLICE = 1000

/** The live events of this process: one relay, each event rendered once, any number of readers. */
export class EventStream implements AsyncDisposable {
  readonly #db: Database
  readonly #relay: Relay
  readonly #renderers: Renderers
  readonly #members = new Audiences<Member>()

  constructor(db: Database, log: Logger, renderers: Renderers) {
    this.#db = db
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
   * A place in the stream. Without `after` it begins now: it gets every event that becomes visible from
   * some moment before this resolves, and none that was visible when it was called.
   *
   * With `after`, the id of the last event that the reader has, a notice `resumed` comes first, then
   * every event after that one, then the live ones: none lost, none twice, in order. Where they are no
   * longer all there the notice says so, and the place begins now.
   */
  async subscribe(audience: Audience, after?: number): Promise<Subscription> {
    await this.#relay.activate()
    try {
      if (after === undefined) return await this.#fromNow(audience)
      const recovered = await canResume(this.#db, after)
      const told = notice(audience.encoding, 'resumed', { after: String(after), recovered })
      return recovered ? this.#from(after, audience, told) : await this.#fromNow(audience, told)
    } catch (error) {
      this.#relay.deactivate()
      throw error
    }
  }

  /** The id before the first event that is surely kept. */
  horizon(): Promise<number> {
    return readHorizon(this.#db)
  }

  /**
   * A page of what has been told after the id `after`, as envelopes; `next` is from where to go on, and
   * `more` whether there is more already. undefined: some of it is no longer kept.
   */
  async page(
    audience: Audience,
    after: number,
    limit: number,
  ): Promise<{ envelopes: string[]; next: number; more: boolean } | undefined> {
    await this.#relay.look()
    if (!(await canResume(this.#db, after))) return undefined
    const upTo = Math.max(this.#relay.position, after)
    const { events, purgedTo } = await readPage(this.#db, audience, { after, upTo, limit })
    if (purgedTo > after) return undefined
    const more = events.length === limit
    return {
      envelopes: events.map((event) => this.#render(event).text),
      next: more ? events.at(-1)!.id : upTo,
      more,
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#relay[Symbol.asyncDispose]()
  }

  async #fromNow(audience: Audience, first?: Buffer): Promise<Subscription> {
    const member: Member = { audience, after: 0, skip: new Set(), sink: undefined, early: [], gone: false }
    // From here on nothing is missed; what is visible already is taken out again.
    this.#members.add(audience, member)
    try {
      const ids = await this.#relay.visibleAhead()
      member.early = member.early.filter(({ id }) => !ids.delete(id))
      member.skip = ids.size > 0 ? ids : undefined
    } catch (error) {
      this.#members.delete(audience, member)
      throw error
    }
    return {
      open: (sink) => {
        if (first) sink(first)
        goLive(member, sink)
      },
      close: () => this.#leave(member),
    }
  }

  #from(after: number, audience: Audience, first: Buffer): Subscription {
    let member: Member | undefined
    let closed = false
    return {
      open: (sink, flow) => {
        sink(first)
        void catchUp({
          db: this.#db,
          audience,
          after,
          sink,
          flow,
          render: (event) => this.#render(event),
          position: () => this.#relay.position,
          isClosed: () => closed,
          join: (position) => {
            member = { audience, after: position, skip: undefined, sink: undefined, early: [], gone: false }
            this.#members.add(audience, member)
          },
          live: () => goLive(member!, sink),
        })
      },
      close: () => {
        if (closed) return
        closed = true
        if (member) this.#leave(member)
        else this.#relay.deactivate()
      },
    }
  }

  #leave(member: Member): void {
    if (member.gone) return
    member.gone = true
    this.#members.delete(member.audience, member)
    this.#relay.deactivate()
  }

  async #broadcast(events: readonly StoredEvent[]): Promise<void> {
    // A copy: who comes while this waits has its place behind all these events.
    const groups = this.#members.snapshot()
    for (const frames of portions(events.map((event) => this.#render(event)))) {
      let written = 0
      for (const { audience, members } of groups) {
        const bytes = joinFor(frames, audience)
        for (const member of members) {
          if (member.gone) continue
          if (member.skip || !member.sink || member.after >= frames[0]!.id) deliverOneByOne(member, frames)
          else if (bytes.length > 0) member.sink(bytes)
          else continue
          if (++written % FAN_OUT_SLICE === 0) await yieldToOthers()
        }
      }
      await yieldToOthers()
    }
  }

  #render(event: StoredEvent): Frame {
    // Of a later version on the same database: nobody here reads its type.
    const known = Object.hasOwn(this.#renderers, event.type)
    return new Frame(event, known ? renderEnvelope(event, this.#renderers) : '')
  }
}

function goLive(member: Member, sink: Sink): void {
  const { audience } = member
  for (const frame of member.early.splice(0)) if (isFor(frame, audience)) sink(frame.as(audience.encoding))
  member.sink = sink
}

function deliverOneByOne(member: Member, frames: readonly Frame[]): void {
  for (const frame of frames) {
    if (member.skip?.delete(frame.id)) {
      if (member.skip.size === 0) member.skip = undefined
    } else if (frame.id <= member.after) {
      // It had this one before.
    } else if (!member.sink) {
      member.early.push(frame)
    } else if (isFor(frame, member.audience)) {
      member.sink(frame.as(member.audience.encoding))
    }
  }
}
