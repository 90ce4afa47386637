import type { QueryResult, QueryResultRow } from 'pg'
import type { StoredEvent } from '../../src/events/event-types.ts'
import type { Database, Statement } from '../../src/platform/database/database.ts'

/** Ids of one length, so that all frames are of one size. */
const FIRST_ID = 100_001

/**
 * Stands in for the database under an EventStream: the relay reads from it events that are there at
 * once, so that what is measured is rendering and delivery.
 */
export class Feed implements Database {
  #next = FIRST_ID
  #waiting = 0
  #batch = 1
  /** Called when a read left events behind. */
  onMore = () => {}

  /** Makes `count` events readable, at most `batch` of them in one read. */
  add(count: number, batch: number): void {
    this.#waiting += count
    this.#batch = batch
  }

  async query<R extends QueryResultRow>({ text }: Statement): Promise<QueryResult<R>> {
    const rows: object[] = []
    if (text.includes('max(id)')) rows.push({ head: FIRST_ID - 1 })
    else if (text.includes('type, at')) {
      const count = Math.min(this.#waiting, this.#batch)
      for (let i = 0; i < count; i++) rows.push(storedEvent(this.#next++))
      this.#waiting -= count
      if (this.#waiting > 0) this.onMore()
    }
    return { rows, rowCount: rows.length } as unknown as QueryResult<R>
  }

  afterCommit(): never {
    throw new Error('the feed takes no changes')
  }

  transaction(): never {
    throw new Error('the feed has no transactions')
  }

  session(): never {
    throw new Error('the feed has no sessions')
  }

  listen(): AsyncDisposable {
    return { [Symbol.asyncDispose]: () => Promise.resolve() }
  }

  connections() {
    return { open: 0, idle: 0, waiting: 0 }
  }

  async ping(): Promise<void> {}
  async [Symbol.asyncDispose](): Promise<void> {}
}

/** An event whose envelope has about 300 bytes, which is the least that a task takes. */
export function storedEvent(id: number): StoredEvent {
  return {
    id,
    type: 'task_created',
    at: '2026-11-21T08:00:00.000000Z',
    audience: 'admins',
    data: {
      id: 1,
      title: 'Report',
      description: null,
      status: 'todo',
      city: null,
      weather: null,
      user_id: null,
      source: null,
      version: 1,
      created_at: '2026-11-21T08:00:00.000000+00:00',
      updated_at: null,
    },
  }
}
