import fc from 'fast-check'
import type pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts'
import { frameReader, plainRenderers, rawClient } from '../../test/support/event-harness.ts'
import { eventually } from '../../test/support/eventually.ts'
import { logTo } from '../../test/support/log.ts'
import { scopeOfUser } from '../../test/support/scopes.ts'
import type { EventType } from './event-types.ts'
import { EventStream, type Subscription } from './stream.ts'

// Readers of two streams, as of two processes, who come, go and come back with the id of their last
// event, while several connections write in transactions that end in any order. Against the model: all
// parts of one reader together are the events it may see, from its first one on, each once and in order.

const CONNECTIONS = 3
const OWNERS = [undefined, 1, 2]
const TYPES = ['task_created', 'task_deleted', 'currency_updated'] as const
let database: TestDatabase
const clients: pg.Client[] = []

beforeAll(async () => {
  database = await createTestDatabase()
  for (let i = 0; i < CONNECTIONS; i++) clients.push(await rawClient(database.url))
})
afterAll(async () => {
  await Promise.all(clients.map((client) => client.end()))
  await database[Symbol.asyncDispose]()
})

const on = fc.nat(CONNECTIONS - 1)
const insert = { owner: fc.constantFrom(...OWNERS), type: fc.constantFrom(...TYPES) }
const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('insert' as const),
      on,
      count: fc.integer({ min: 1, max: 40 }),
      ...insert,
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('begin' as const), on }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('end' as const), on, commits: fc.boolean() }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('toggle' as const), reader: fc.nat(3), stream: fc.nat(1) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('wake' as const), stream: fc.nat(1) }) },
)
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never

/** A reader who keeps what it got, and slows its connection down now and then. */
class Reader {
  readonly ids: number[] = []
  readonly audience
  notices: { after: string; recovered: boolean }[] = []
  #subscription: Subscription | undefined

  constructor(owner: number | undefined, types: readonly EventType[]) {
    this.audience = { types: new Set(types), scope: scopeOfUser(owner), encoding: 'websocket' as const }
  }

  async toggle(stream: EventStream, start: number): Promise<void> {
    if (this.#subscription) return this.leave()
    const after = this.ids.at(-1) ?? start
    const mine = await stream.subscribe(this.audience, after)
    this.#subscription = mine
    const sink = frameReader((text) => {
      const { id, type, data } = JSON.parse(text)
      if (type === 'resumed') this.notices.push(data)
      // Frames that arrive after the reader has closed the connection are lost.
      else if (this.#subscription === mine) this.ids.push(Number(id))
    })
    let turns = 0
    mine.open(sink, {
      waitForDrain: () =>
        ++turns % 2 === 0 ? new Promise((resolve) => setImmediate(resolve)) : Promise.resolve(),
      lost: () => expect.fail('nothing was purged'),
    })
  }

  leave(): void {
    this.#subscription?.close()
    this.#subscription = undefined
  }

  get isHere(): boolean {
    return this.#subscription !== undefined
  }
}

class Schedule {
  readonly streams = [0, 1].map(() => new EventStream(database.db, logTo([]), plainRenderers))
  readonly readers = [
    new Reader(undefined, TYPES),
    new Reader(undefined, ['task_created']),
    new Reader(1, TYPES),
    new Reader(2, ['task_deleted']),
  ]
  readonly #open = new Set<number>()
  start = 0

  async begin(): Promise<void> {
    for (const stream of this.streams) await stream.start()
    const [row] = await database.rows<{ id: number }>('SELECT coalesce(max(id), 0) AS id FROM events')
    this.start = row!.id
  }

  async take(action: Step): Promise<void> {
    if (action.do === 'wake') return this.streams[action.stream]!.wake()
    if (action.do === 'toggle')
      return this.readers[action.reader]!.toggle(this.streams[action.stream]!, this.start)
    const client = clients[action.on]!
    if (action.do === 'begin' && !this.#open.has(action.on)) {
      this.#open.add(action.on)
      await client.query('BEGIN')
    } else if (action.do === 'end' && this.#open.delete(action.on)) {
      await client.query(action.commits ? 'COMMIT' : 'ROLLBACK')
    } else if (action.do === 'insert') {
      await client.query(
        `INSERT INTO events (type, user_id, data) SELECT $1, $2, '{}' FROM generate_series(1, $3)`,
        [action.type, action.owner ?? null, action.count],
      )
    }
  }

  async finish(): Promise<void> {
    for (const index of this.#open) await clients[index]!.query('COMMIT')
    for (const reader of this.readers) {
      if (!reader.isHere) await reader.toggle(this.streams[0]!, this.start)
    }
    for (const stream of this.streams) stream.wake()
    for (const reader of this.readers) {
      const { types, scope } = reader.audience
      const rows = await database.rows<{ id: number }>(
        `SELECT id FROM events WHERE id > $1 AND type = ANY ($2) AND ($3::integer IS NULL OR user_id = $3 OR type = 'currency_updated') ORDER BY id`,
        [this.start, [...types], scope.parameter],
      )
      await eventually(
        () => reader.ids.length >= rows.length,
        `${rows.length} events of ${reader.ids.length}`,
      )
      expect(reader.ids).toEqual(rows.map(({ id }) => id))
      expect(reader.notices.every(({ recovered }) => recovered)).toBe(true)
      reader.leave()
    }
    for (const stream of this.streams) await stream[Symbol.asyncDispose]()
  }
}

test('whoever comes back with the id of their last event has all of them, each once, in order', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), async (steps) => {
      const schedule = new Schedule()
      await schedule.begin()
      for (const action of steps) await schedule.take(action)
      await schedule.finish()
    }),
    { numRuns: 60 },
  )
}, 120_000)
