import { setTimeout as delay, setImmediate as yieldToOthers } from 'node:timers/promises'
import { type AccessScope, scopeOf } from '../core/access-scope.ts'
import { operator } from '../core/actor.ts'
import type { Database } from '../platform/database/database.ts'
import type { Logger } from '../platform/logging/logger.ts'
import type { Metrics } from '../platform/metrics/index.ts'
import { catchUp } from './catch-up.ts'
import { channels, type Renderers, renderEnvelope, type StoredEvent } from './event-types.ts'
import { cursorMark, Frame, notice } from './frame.ts'
import { frameChunks } from './frame-chunks.ts'
import { type EventFilter, joinPassing, passes, ReaderGroups } from './reader-groups.ts'
import { Relay } from './relay.ts'
import { canResume, readHorizon, readPage } from './replay.ts'

/** Takes bytes that hold one or more whole frames, in order. The buffer is shared: do not change it. */
export type Sink = (frames: Buffer) => void

/** The flow control that a replay needs of a connection. */
export interface Flow {
  /** Resolves when the connection has taken most of what was written to it, or is closed. */
  waitForDrain(): Promise<void>
  /** Called if some events that the reader missed were purged: it must read everything again. */
  lost(): void
}

/** The subscription of one reader to the stream. */
export interface Subscription {
  /** Starts delivery, with what happened since the subscription was made. */
  open(sink: Sink, flow: Flow): void
  /** From here on only events within this scope are delivered. None of those is lost or delivered twice. */
  narrow(scope: AccessScope): void
  close(): void
}

/** A reader who is given live events. */
interface Member {
  filter: EventFilter
  /** It has been given everything up to this id. */
  readonly after: number
  /** Events it must not get, since they were there before it came; undefined once all have passed. */
  skip: Set<number> | undefined
  /** While undefined, frames wait in `buffered`. */
  sink: Sink | undefined
  buffered: Frame[]
  closed: boolean
}

const EVERYTHING: EventFilter = {
  types: new Set(Object.values(channels).flat()),
  scope: scopeOf(operator),
  encoding: 'websocket',
}

/** Number of sockets that are written to before the event loop runs other work. */
const FAN_OUT_SLICE = 1000

/** The live events of this process: one relay, each event rendered once, any number of readers. */
export class EventStream implements AsyncDisposable {
  readonly #db: Database
  readonly #log: Logger
  readonly #relay: Relay
  readonly #renderers: Renderers
  readonly #members = new ReaderGroups<Member>()
  readonly #observe: ((events: readonly StoredEvent[]) => void) | undefined
  readonly #waking = new Set<() => void>()

  constructor(db: Database, log: Logger, renderers: Renderers, metrics?: Metrics) {
    this.#db = db
    this.#log = log
    this.#renderers = renderers
    this.#observe = metrics && observer(metrics)
    this.#relay = new Relay(db, log, (events) => this.#broadcast(events))
  }

  start(): Promise<void> {
    return this.#relay.start()
  }

  /**
   * Wakes the relay after a commit. Pass the committed events if you have them; the relay then need not read them again.
   */
  wake(events?: readonly StoredEvent[]): void {
    this.#relay.wake(events)
    for (const wake of this.#waking) wake()
  }

  /** Resolves at the next `wake`, or after `milliseconds`, or when aborted. */
  async nextWake(milliseconds: number, signal: AbortSignal): Promise<void> {
    const over = new AbortController()
    const either = AbortSignal.any([over.signal, signal])
    const wake = () => over.abort()
    this.#waking.add(wake)
    await delay(milliseconds, undefined, { signal: either }).catch(() => {})
    this.#waking.delete(wake)
  }

  /** The id up to which every event is settled: committed and to be read, or never to exist. */
  async settled(): Promise<number> {
    await this.#relay.look()
    return this.#relay.position
  }

  /** Events of everybody, rendered, with ids above `after` and up to `upTo`, which must be settled. */
  async read(after: number, upTo: number, limit: number): Promise<{ frames: Frame[]; purgedTo: number }> {
    const { events, purgedTo } = await readPage(this.#db, EVERYTHING, { after, upTo, limit })
    return { frames: events.map((event) => this.#render(event)), purgedTo }
  }

  /**
   * A place in the stream. Without `after` it begins now: it gets every event that becomes visible from
   * some moment before this resolves, and none that was visible when it was called.
   *
   * With `after`, the id of the last event that the reader has, a notice `resumed` comes first, then
   * every event after that one, then the live ones: none lost, none twice, in order. Where they are no
   * longer all there the notice says so, and the place begins now.
   */
  async subscribe(filter: EventFilter, after?: number): Promise<Subscription> {
    await this.#relay.activate()
    try {
      if (after === undefined) return await this.#fromNow(filter)
      const recovered = await canResume(this.#db, after)
      const told = notice(filter.encoding, 'resumed', { after: String(after), recovered })
      return recovered ? this.#from(after, filter, told) : await this.#fromNow(filter, told)
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
   * Returns a page of the events after the id `after`, as envelopes. `next` is the cursor of the next page, `more`
   * whether it has events already. Returns undefined if some of the events are no longer stored.
   */
  async page(
    filter: EventFilter,
    after: number,
    limit: number,
  ): Promise<{ envelopes: string[]; next: number; more: boolean } | undefined> {
    await this.#relay.look()
    if (!(await canResume(this.#db, after))) return undefined
    const upTo = Math.max(this.#relay.position, after)
    const { events, purgedTo } = await readPage(this.#db, filter, { after, upTo, limit })
    if (purgedTo > after) return undefined
    const more = events.length === limit
    return {
      envelopes: events.map((event) => this.#render(event).text).filter((text) => text !== ''),
      next: more ? events.at(-1)!.id : upTo,
      more,
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#relay[Symbol.asyncDispose]()
  }

  async #fromNow(filter: EventFilter, first?: Buffer): Promise<Subscription> {
    const member: Member = { filter, after: 0, skip: new Set(), sink: undefined, buffered: [], closed: false }
    // A reader who is cut off before the first event comes back with this, and has missed nothing.
    const mark = cursorMark(filter.encoding, this.#relay.position)
    // From here on nothing is missed; what is visible already is taken out again.
    this.#members.add(filter, member)
    try {
      const ids = await this.#relay.visibleAhead()
      member.buffered = member.buffered.filter(({ id }) => !ids.delete(id))
      member.skip = ids.size > 0 ? ids : undefined
    } catch (error) {
      this.#members.delete(filter, member)
      throw error
    }
    return {
      open: (sink) => {
        if (first) sink(first)
        if (mark) sink(mark)
        goLive(member, sink)
      },
      narrow: (scope) => this.#narrow(member, scope),
      close: () => this.#leave(member),
    }
  }

  #from(after: number, whole: EventFilter, first: Buffer): Subscription {
    let filter = whole
    let member: Member | undefined
    let closed = false
    return {
      open: (sink, flow) => {
        sink(first)
        void catchUp({
          db: this.#db,
          filter: () => filter,
          after,
          sink,
          flow,
          render: (event) => this.#render(event),
          position: () => this.#relay.position,
          isClosed: () => closed,
          join: (position) => {
            member = {
              filter,
              after: position,
              skip: undefined,
              sink: undefined,
              buffered: [],
              closed: false,
            }
            this.#members.add(filter, member)
          },
          live: () => goLive(member!, sink),
        })
      },
      narrow: (scope) => {
        filter = { ...filter, scope }
        if (member) this.#narrow(member, scope)
      },
      close: () => {
        if (closed) return
        closed = true
        if (member) this.#leave(member)
        else this.#relay.deactivate()
      },
    }
  }

  #narrow(member: Member, scope: AccessScope): void {
    if (member.closed || member.filter.scope.equals(scope)) return
    this.#members.delete(member.filter, member)
    member.filter = { ...member.filter, scope }
    this.#members.add(member.filter, member)
  }

  #leave(member: Member): void {
    if (member.closed) return
    member.closed = true
    this.#members.delete(member.filter, member)
    this.#relay.deactivate()
  }

  async #broadcast(events: readonly StoredEvent[]): Promise<void> {
    this.#observe?.(events)
    // A copy: who comes while this waits has its place behind all these events.
    const groups = this.#members.snapshot()
    for (const frames of frameChunks(events.map((event) => this.#render(event)))) {
      let written = 0
      const firstId = frames[0]!.id
      for (const { filter, members } of groups) {
        const bytes = joinPassing(frames, filter)
        for (const member of members) {
          if (member.closed) continue
          const isAlike = member.filter.scope.equals(filter.scope)
          if (member.skip || !member.sink || member.after >= firstId || !isAlike)
            deliverOneByOne(member, frames)
          else if (bytes.length > 0) member.sink(bytes)
          else continue
          if (++written % FAN_OUT_SLICE === 0) await yieldToOthers()
        }
      }
      await yieldToOthers()
    }
  }

  /** Without a text, it is for nobody: of a later version on the same database, of a type or a shape unknown here. */
  #render(event: StoredEvent): Frame {
    let text = ''
    try {
      if (Object.hasOwn(this.#renderers, event.type)) text = renderEnvelope(event, this.#renderers)
    } catch (error) {
      this.#log.error({ eventId: event.id, err: error }, 'an event cannot be told')
    }
    return new Frame(event, text)
  }
}

/** Bucket bounds in seconds: events of this process are delivered within milliseconds, delayed ones later. */
const LAG_BOUNDS = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30]

function observer(metrics: Metrics): (events: readonly StoredEvent[]) => void {
  const told = metrics.counter('taskwire_events_total', 'Events handed to the readers of this process.')
  const lag = metrics.histogram(
    'taskwire_event_lag_seconds',
    'From when an event is written to when it is handed over; of each batch the oldest.',
    LAG_BOUNDS,
  )
  return (events) => {
    told.add(events.length)
    lag.observe(Math.max(0, Date.now() - Date.parse(events[0]!.at)) / 1000)
  }
}

function goLive(member: Member, sink: Sink): void {
  const { filter } = member
  for (const frame of member.buffered.splice(0)) if (passes(frame, filter)) sink(frame.as(filter.encoding))
  member.sink = sink
}

function deliverOneByOne(member: Member, frames: readonly Frame[]): void {
  for (const frame of frames) {
    if (member.skip?.delete(frame.id)) {
      if (member.skip.size === 0) member.skip = undefined
    } else if (frame.id <= member.after) {
      // It had this one before.
    } else if (!member.sink) {
      member.buffered.push(frame)
    } else if (passes(frame, member.filter)) {
      member.sink(frame.as(member.filter.encoding))
    }
  }
}
