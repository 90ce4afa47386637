import type { QueryResult, QueryResultRow } from 'pg'
import pg from 'pg'
import * as ws from 'ws'
import { scopeOf } from '../../src/core/access-scope.ts'
import { operator } from '../../src/core/actor.ts'
import { EVENT_AUDIENCE } from '../../src/events/audience.ts'
import type { StoredEvent } from '../../src/events/event-types.ts'
import type { EventStream, Flow, Sink } from '../../src/events/stream.ts'
import type { Database, Statement } from '../../src/platform/database/database.ts'

interface FrameReceiver {
  on(event: 'message', heard: (data: Buffer, isBinary: boolean) => void): void
  on(event: 'conclude', heard: (code: number, reason: Buffer) => void): void
  on(event: 'error', heard: (error: Error) => void): void
  write(chunk: Buffer): boolean
}
// `ws` exports its parser, its types do not.
const { Receiver } = ws as unknown as { Receiver: new (options: object) => FrameReceiver }

/** Reads server-to-client frames with the parser of `ws`; it works synchronously. */
export function frameReader(
  onText: (text: string) => void,
  onClose: (code: number) => void = () => {},
): Sink {
  const receiver = new Receiver({ isServer: false, maxPayload: 0 })
  receiver.on('message', (data, isBinary) => {
    if (isBinary) throw new Error('a binary message')
    onText(data.toString())
  })
  receiver.on('conclude', onClose)
  receiver.on('error', (error) => {
    throw error
  })
  return (frames) => void receiver.write(frames)
}

/** A connection of its own, outside of our pool. */
export async function rawClient(url: string): Promise<pg.Client & AsyncDisposable> {
  const client = new pg.Client({ connectionString: url, options: '-c TimeZone=UTC', application_name: 'raw' })
  client.on('error', () => {})
  await client.connect()
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.end() })
}

/** Inserts an event where the connection stands, in a transaction or not; returns its id. */
export async function insertEvent(
  client: pg.Client,
  type = 'task_deleted',
  data: object = {},
): Promise<number> {
  const { rows } = await client.query<{ id: string }>(
    'INSERT INTO events (type, data) VALUES ($1, $2) RETURNING id',
    [type, JSON.stringify(data)],
  )
  return Number(rows[0]!.id)
}

/** Events as those who commit them have them. */
export async function storedEvents(db: Database, ids: readonly number[]): Promise<StoredEvent[]> {
  const { rows } = await db.query<StoredEvent & object>({
    text: `SELECT id, type, at, ${EVENT_AUDIENCE} AS audience, data FROM events WHERE id = ANY ($1) ORDER BY id`,
    values: [ids],
  })
  return rows
}

/** Stored data is told as it is. */
export const plainRenderers = {
  task_created: (data: object) => data,
  task_updated: (data: object) => data,
  task_deleted: (data: object) => data,
  background_task_completed: (data: object) => data,
  background_task_failed: (data: object) => data,
  currency_created: (data: object) => data,
  currency_updated: (data: object) => data,
  currency_deleted: (data: object) => data,
  add_data_from_remote_source: (data: object) => data,
}
export const allTypes = new Set(Object.keys(plainRenderers) as StoredEvent['type'][])

export interface Reader {
  ids: number[]
  /** Calls of the sink: each is one write to a socket. */
  writes: number
  close(): void
}

/** Subscribes and notes the ids that come. */
export async function readStream(stream: EventStream, types = allTypes, onWrite = () => {}): Promise<Reader> {
  const subscription = await stream.subscribe({ types, scope: scopeOf(operator), encoding: 'websocket' })
  const reader: Reader = { ids: [], writes: 0, close: () => subscription.close() }
  const read = frameReader((text) => void reader.ids.push(Number(JSON.parse(text).id)))
  subscription.open((frames) => {
    reader.writes++
    onWrite()
    read(frames)
  }, alwaysRoom)
  return reader
}

/** The flow of a connection that takes everything at once. */
export const alwaysRoom: Flow = {
  waitForDrain: () => Promise.resolve(),
  lost: () => {
    throw new Error('the reader was told to begin anew')
  },
}

/** A database that counts statements by name and can hold them, before they run or after. */
export class ObservedDatabase implements Database {
  readonly #db: Database
  readonly counts = new Map<string, number>()
  /** Hears of each statement before it runs; what it throws is what the caller gets. */
  onQuery: (name: string) => void = () => {}
  readonly #gates = new Map<string, { when: 'before' | 'after'; open: Promise<void> }>()

  constructor(db: Database) {
    this.#db = db
  }

  count(name: string): number {
    return this.counts.get(name) ?? 0
  }

  /** Holds statements called `name`; the result lets them go. */
  hold(name: string, when: 'before' | 'after' = 'before'): () => void {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#gates.set(name, { when, open: promise })
    return () => {
      this.#gates.delete(name)
      resolve()
    }
  }

  async query<R extends QueryResultRow>(statement: Statement): Promise<QueryResult<R>> {
    const name = statement.name ?? ''
    this.counts.set(name, this.count(name) + 1)
    this.onQuery(name)
    const gate = this.#gates.get(name)
    if (gate?.when === 'before') await gate.open
    const result = await this.#db.query<R>(statement)
    if (gate?.when === 'after') await gate.open
    return result
  }

  transaction: Database['transaction'] = (work) => this.#db.transaction(work)
  afterCommit: Database['afterCommit'] = (effect) => this.#db.afterCommit(effect)
  listen: Database['listen'] = (channel, heard) => this.#db.listen(channel, heard)
  session: Database['session'] = () => this.#db.session()
  connections: Database['connections'] = () => this.#db.connections()
  ping: Database['ping'] = (milliseconds) => this.#db.ping(milliseconds)
  async [Symbol.asyncDispose]() {}
}
