import { setTimeout as delay } from 'node:timers/promises'
import { errorText } from '../core/errors.ts'
import type { Database, Queryable } from '../platform/database/database.ts'
import type { Logger } from '../platform/logging/logger.ts'
import { ConsumerLocks } from './consumer-locks.ts'
import type { Frame } from './frame.ts'
import type { EventStream } from './stream.ts'

const PAGE = 500
/** Minimum time between rounds, so that events written in between are handled together. */
const PACE_MS = 20
const POLL_MS = 1_000
const RETRY_MS = { min: 100, max: 5_000 }

/** A consumer inside the system, such as webhooks or a broker. */
export interface EventConsumer {
  /** Its row in `event_feeds`. */
  name: string
  /** Whether anybody wants events now. While nobody does, the position follows the stream and nothing is read. */
  wanted(): Promise<boolean>
  /**
   * Consumes events, at most 500, in id order. It must call `advance` when they are consumed: inside the transaction
   * that stores them (then each is consumed exactly once), or after remote work (then at least once). If it throws, the
   * same events are retried after a pause. `advance` throws if another process has taken over.
   */
  take(
    frames: readonly Frame[],
    advance: (on: Queryable) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void>
}

/**
 * Records the current position of new consumers, so that they get every event from now on. A process that accepts
 * subscriptions calls it first, because the process that serves the consumers may start later.
 */
export async function registerConsumers(
  db: Database,
  stream: EventStream,
  names: readonly string[],
): Promise<void> {
  await db.query({
    text: 'INSERT INTO event_feeds (name, position) SELECT unnest($1::text[]), $2 ON CONFLICT DO NOTHING',
    values: [names, await stream.settled()],
  })
}

/**
 * Hands every event, in order, to each feed, from where it stopped, across all processes and restarts.
 * One process at a time serves a feed; a stale one that wakes up late fails at `advance`, since that
 * moves the position only from where the process believes it to be.
 */
export async function startConsumers(deps: {
  db: Database
  log: Logger
  stream: EventStream
  feeds: readonly EventConsumer[]
}): Promise<AsyncDisposable> {
  const { db, log, stream, feeds } = deps
  const locks = new ConsumerLocks(db)
  const stopping = new AbortController()
  const { signal } = stopping
  await registerConsumers(
    db,
    stream,
    feeds.map(({ name }) => name),
  )

  /** Up to where the position of each is known to have come. */
  const reached = new Map<string, number>()

  async function follow(feed: EventConsumer): Promise<void> {
    let retry = RETRY_MS.min
    while (!signal.aborted) {
      const woken = stream.nextWake(POLL_MS, signal)
      try {
        await round(feed)
        if (retry > RETRY_MS.min) log.info({ feed: feed.name }, 'events are taken again')
        retry = RETRY_MS.min
      } catch (error) {
        if (signal.aborted) return
        if (retry === RETRY_MS.min) log.warn({ feed: feed.name }, `events wait: ${errorText(error)}`)
        retry = Math.min(retry * 2, RETRY_MS.max)
        await pause(retry * (0.5 + Math.random() / 2))
        continue
      }
      await woken
      await pause(PACE_MS)
    }
  }

  async function round(feed: EventConsumer): Promise<void> {
    const upTo = await stream.settled()
    if (reached.get(feed.name) === upTo) return
    // Asked after the position was read: who is not there yet is not owed what was committed up to it.
    if (!(await feed.wanted())) return await skip(feed.name, upTo)
    if (!(await locks.hold(feed.name))) return
    while (await takePage(feed, upTo)) if (signal.aborted) return
    reached.set(feed.name, upTo)
  }

  /** Hands over one page; true when there is more. */
  async function takePage(feed: EventConsumer, upTo: number): Promise<boolean> {
    const position = await readPosition(feed.name)
    if (position >= upTo) return false
    const { frames, purgedTo } = await stream.read(position, upTo, PAGE)
    if (purgedTo > position)
      log.warn({ feed: feed.name, position, purgedTo }, 'events were purged before they could be taken')
    const isFull = frames.length === PAGE
    const next = isFull ? frames.at(-1)!.id : upTo
    const advance = (on: Queryable) => move(on, feed.name, position, next)
    if (frames.length === 0) await advance(db)
    else await feed.take(frames, advance, signal)
    return isFull
  }

  async function readPosition(name: string): Promise<number> {
    const { rows } = await db.query<{ position: number }>({
      name: 'event-feed-position',
      text: 'SELECT position FROM event_feeds WHERE name = $1',
      values: [name],
    })
    return rows[0]!.position
  }

  async function skip(name: string, upTo: number): Promise<void> {
    await db.query({
      name: 'event-feed-skip',
      text: 'UPDATE event_feeds SET position = $2 WHERE name = $1 AND position < $2',
      values: [name, upTo],
    })
    reached.set(name, upTo)
    await pause(POLL_MS)
  }

  async function pause(milliseconds: number): Promise<void> {
    await delay(milliseconds, undefined, { signal }).catch(() => {})
  }

  const following = feeds.map(follow)
  return {
    async [Symbol.asyncDispose]() {
      stopping.abort()
      await Promise.all(following)
      await locks[Symbol.asyncDispose]()
    },
  }
}

async function move(on: Queryable, name: string, from: number, to: number): Promise<void> {
  const { rowCount } = await on.query({
    name: 'event-feed-move',
    text: 'UPDATE event_feeds SET position = $3 WHERE name = $1 AND position = $2',
    values: [name, from, to],
  })
  if (rowCount !== 1) throw new Error(`another process has taken over the feed "${name}"`)
}
