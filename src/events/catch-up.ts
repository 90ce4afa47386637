import { setTimeout as delay } from 'node:timers/promises'
import type { Database } from '../platform/database/database.ts'
import type { StoredEvent } from './event-types.ts'
import type { Frame } from './frame.ts'
import { frameChunks } from './frame-chunks.ts'
import { type EventFilter, joinPassing } from './reader-groups.ts'
import { type Page, readPage } from './replay.ts'

const PAGE = 500
const RETRY_MS = 500

/** A reader that catches up with the stream, and the stream that it joins. */
interface Follower {
  db: Database
  /** A getter, because the filter may be narrowed while the reader catches up. */
  filter: () => EventFilter
  /** The id of the last event that the reader has. */
  after: number
  sink: (frames: Buffer) => void
  flow: { waitForDrain(): Promise<void>; lost(): void }
  render: (event: StoredEvent) => Frame
  /** The id up to which the stream has delivered its events; rows up to it are final. */
  position: () => number
  isClosed: () => boolean
  /** Buffers the events that the stream delivers beyond `position`, until `live`. */
  join: (position: number) => void
  live: () => void
}

/**
 * Sends a reader the events that it missed from the table, page by page and no faster than it reads, so that
 * memory does not grow with what was missed. When a page is not full, it joins the stream at the
 * stream's position, and the few events up to there come from the table too: the ids up to that
 * position and those beyond it are disjoint and complete, so nothing is lost and nothing comes twice.
 */
export async function catchUp(follower: Follower): Promise<void> {
  const { flow, sink, filter, isClosed } = follower
  let cursor = follower.after
  for (let isFull = true; isFull; ) {
    await flow.waitForDrain()
    const upTo = follower.position()
    const page = await read(follower, cursor, upTo)
    if (!page) return
    if (page.purgedTo > cursor) return flow.lost()
    for (const frames of frameChunks(page.events.map(follower.render))) {
      sink(joinPassing(frames, filter()))
      await flow.waitForDrain()
      if (isClosed()) return
    }
    isFull = page.events.length === PAGE
    cursor = isFull ? page.events.at(-1)!.id : Math.max(cursor, upTo)
  }
  const seam = Math.max(cursor, follower.position())
  follower.join(seam)
  while (cursor < seam) {
    const page = await read(follower, cursor, seam)
    if (!page) return
    if (page.purgedTo > cursor) return flow.lost()
    for (const frames of frameChunks(page.events.map(follower.render))) sink(joinPassing(frames, filter()))
    cursor = page.events.length === PAGE ? page.events.at(-1)!.id : seam
  }
  follower.live()
}

/** A page, once the database answers; undefined when the reader has closed. */
async function read(
  { db, filter, isClosed }: Follower,
  after: number,
  upTo: number,
): Promise<Page | undefined> {
  while (!isClosed()) {
    try {
      const page = await readPage(db, filter(), { after, upTo, limit: PAGE })
      return isClosed() ? undefined : page
    } catch {
      // The relay says that the database is away; the reader waits for it.
      await delay(RETRY_MS)
    }
  }
  return undefined
}
