import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts'
import { insertEvent, plainRenderers, rawClient } from '../../test/support/event-harness.ts'
import { eventually } from '../../test/support/eventually.ts'
import { logTo } from '../../test/support/log.ts'
import { type EventConsumer, registerConsumers, startConsumers } from './event-consumers.ts'
import { EventStream } from './stream.ts'

let database: TestDatabase
let writer: Awaited<ReturnType<typeof rawClient>>
let stack: AsyncDisposableStack
const lines: Record<string, unknown>[] = []

beforeAll(async () => {
  database = await createTestDatabase()
  writer = await rawClient(database.url)
  await database.rows('CREATE TABLE taken (place serial, event bigint)')
})
afterAll(async () => {
  await writer.end()
  await database[Symbol.asyncDispose]()
})
beforeEach(async () => {
  stack = new AsyncDisposableStack()
  lines.length = 0
  await database.rows('TRUNCATE taken, event_feeds')
})
afterEach(() => stack.disposeAsync())

/** A feed that writes down what it takes, in the transaction in which it takes it. */
function noting(override: Partial<EventConsumer> = {}): EventConsumer {
  return {
    name: 'noting',
    wanted: async () => true,
    take: (frames, advance) =>
      database.db.transaction(async (transaction) => {
        await transaction.query({
          text: 'INSERT INTO taken (event) SELECT unnest($1::bigint[])',
          values: [frames.map(({ id }) => id)],
        })
        await advance(transaction)
      }),
    ...override,
  }
}

/** Starts the consumer with a stream of its own, as another process would. */
async function serve(feed: EventConsumer): Promise<EventStream & { end(): Promise<void> }> {
  const own = stack.use(new AsyncDisposableStack())
  const log = logTo(lines)
  const stream = own.use(new EventStream(database.db, log, plainRenderers))
  await stream.start()
  own.use(await startConsumers({ db: database.db, log, stream, feeds: [feed] }))
  return Object.assign(stream, { end: () => own.disposeAsync() })
}

async function insert(count: number): Promise<number[]> {
  const ids: number[] = []
  for (let i = 0; i < count; i++) ids.push(await insertEvent(writer))
  return ids
}

async function taken(): Promise<number[]> {
  const rows = await database.rows<{ event: number }>('SELECT event FROM taken ORDER BY place')
  return rows.map(({ event }) => event)
}

async function hasTaken(ids: number[]): Promise<void> {
  await eventually(async () => (await taken()).length >= ids.length, 'all events are taken', 15_000)
  expect(await taken()).toEqual(ids)
}

test('a feed begins with what comes after its first start', async () => {
  await insert(3)
  const stream = await serve(noting())
  const ids = await insert(3)
  stream.wake()
  await hasTaken(ids)
})

test('a feed that was entered gets what has come since, whenever it is served for the first time', async () => {
  await insert(3)
  const { db } = database
  const stream = stack.use(new EventStream(db, logTo(lines), plainRenderers))
  await stream.start()
  await registerConsumers(db, stream, ['noting'])
  const ids = await insert(3)
  await registerConsumers(db, stream, ['noting'])
  await serve(noting())
  await hasTaken(ids)
})

test('what comes while nobody serves the feed is taken afterwards, more than a page of it', async () => {
  await (await serve(noting())).end()
  const { rows } = await writer.query<{ id: string }>(
    `INSERT INTO events (type, data) SELECT 'task_deleted', '{}' FROM generate_series(1, 1234) RETURNING id`,
  )
  await serve(noting())
  await hasTaken(rows.map(({ id }) => Number(id)))
})

test('a failing consumer gets the same events again, and the log says so once', async () => {
  let failures = 3
  const good = noting()
  const feed = noting({
    take: async (frames, advance, signal) => {
      if (failures-- > 0) throw new Error('not now')
      await good.take(frames, advance, signal)
    },
  })
  await serve(feed)
  await hasTaken(await insert(2))
  expect(lines.map(({ msg }) => msg)).toEqual(['events wait: not now', 'events are taken again'])
})

test('while nobody wants events the position follows, and later ones are taken', async () => {
  let wanted = false
  const stream = await serve(noting({ wanted: async () => wanted }))
  const early = await insert(5)
  stream.wake()
  await eventually(async () => {
    const [row] = await database.rows<{ position: number }>('SELECT position FROM event_feeds')
    return row!.position >= early.at(-1)!
  }, 'the position follows')
  wanted = true
  await hasTaken(await insert(5))
})

test('what was purged before it could be taken is told of in the log, the rest is taken', async () => {
  await (await serve(noting())).end()
  const ids = await insert(4)
  await writer.query('DELETE FROM events WHERE id <= $1', [ids[1]])
  await writer.query('UPDATE event_horizon SET purged_to = $1', [ids[1]])
  await serve(noting())
  await hasTaken(ids.slice(2))
  expect(lines.map(({ msg }) => msg)).toEqual(['events were purged before they could be taken'])
  await writer.query('UPDATE event_horizon SET purged_to = 0')
})

test('one of several processes serves it; when its connection is cut another goes on: once each, in order', async () => {
  const streams = await Promise.all([1, 2, 3].map(() => serve(noting())))
  const ids: number[] = []
  for (let round = 0; round < 8; round++) {
    ids.push(...(await insert(25)))
    for (const stream of streams) stream.wake()
    await database.rows(
      `SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_stat_activity USING (pid)
       WHERE locktype = 'advisory' AND datname = current_database()`,
    )
  }
  await hasTaken(ids)
})

test('a process that was taken over while it worked cannot take for good', async () => {
  let release = () => {}
  let stuck = false
  const good = noting()
  const first = await serve(
    noting({
      take: async (frames, advance, signal) => {
        stuck = true
        await new Promise<void>((resolve) => {
          release = resolve
        })
        await good.take(frames, advance, signal)
      },
    }),
  )
  const ids = await insert(3)
  first.wake()
  await eventually(() => stuck, 'the first takes')
  await database.rows(
    `SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_stat_activity USING (pid)
     WHERE locktype = 'advisory' AND datname = current_database()`,
  )
  await serve(noting())
  await hasTaken(ids)
  release()
  await eventually(() => lines.some(({ msg }) => String(msg).includes('has taken over')), 'the first is told')
  expect(await taken()).toEqual(ids)
})
