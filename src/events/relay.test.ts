import { afterEach, beforeEach, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts'
import { insertEvent, ObservedDatabase, rawClient, storedEvents } from '../../test/support/event-harness.ts'
import { eventually } from '../../test/support/eventually.ts'
import { logTo } from '../../test/support/log.ts'
import type { StoredEvent } from './event-types.ts'
import { Relay } from './relay.ts'

let database: TestDatabase
let db: ObservedDatabase
let relay: Relay
let told: StoredEvent[]
let lines: Record<string, unknown>[]
const ids = () => told.map(({ id }) => id)

beforeEach(async () => {
  database = await createTestDatabase()
  db = new ObservedDatabase(database.db)
  told = []
  lines = []
  relay = new Relay(db, logTo(lines), (events) => void told.push(...events))
  await relay.start()
})
afterEach(async () => {
  await relay[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})

/** Waits until the relay has looked several times more, so that it had every chance to deliver. */
async function looked(statement = 'event-writers', times = 3): Promise<void> {
  const before = db.count(statement)
  relay.wake()
  await eventually(() => db.count(statement) >= before + times, `${statement} ${times} times more`)
}

test.each(['COMMIT', 'ROLLBACK'])(
  'nothing passes the gap of an open transaction until its %s',
  async (end) => {
    await using first = await rawClient(database.url)
    await using second = await rawClient(database.url)
    await relay.activate()
    await first.query('BEGIN')
    const slow = await insertEvent(first)
    const fast = await insertEvent(second)
    expect(fast).toBe(slow + 1)
    await looked()
    expect(ids()).toEqual([])
    await first.query(end)
    await eventually(() => ids().includes(fast), 'the event behind the gap')
    expect(ids()).toEqual(end === 'COMMIT' ? [slow, fast] : [fast])
  },
)

test('what lies before the gap is told, what lies behind it waits, also behind several writers', async () => {
  await using first = await rawClient(database.url)
  await using second = await rawClient(database.url)
  await using third = await rawClient(database.url)
  await relay.activate()
  const before = await insertEvent(third)
  await first.query('BEGIN')
  const a = await insertEvent(first)
  const between = await insertEvent(third)
  await second.query('BEGIN')
  const b = await insertEvent(second)
  const after = await insertEvent(third)
  await looked()
  expect(ids()).toEqual([before])
  await second.query('COMMIT') // The later one ends first.
  await looked()
  expect(ids()).toEqual([before])
  await first.query('COMMIT')
  await eventually(() => told.length === 5, 'all five')
  expect(ids()).toEqual([before, a, between, b, after])
})

test('long transactions that write no events do not hold the stream', async () => {
  await using long = await rawClient(database.url)
  await using writer = await rawClient(database.url)
  await relay.activate()
  await long.query(`BEGIN ISOLATION LEVEL SERIALIZABLE; INSERT INTO tasks (title) VALUES ('held')`)
  await writer.query('BEGIN')
  await insertEvent(writer)
  await writer.query('ROLLBACK')
  const id = await insertEvent(writer)
  relay.wake()
  await eventually(() => told.length > 0, 'the event, while the long transaction is open')
  expect(ids()).toEqual([id])
})

test('a backend killed between its insert and its commit leaves a gap that is stepped over', async () => {
  await using victim = await rawClient(database.url)
  await using writer = await rawClient(database.url)
  await relay.activate()
  await victim.query('BEGIN')
  await insertEvent(victim)
  const id = await insertEvent(writer)
  await looked()
  expect(ids()).toEqual([])
  const { rows } = await victim.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
  await writer.query('SELECT pg_terminate_backend($1)', [rows[0]!.pid])
  await eventually(() => told.length > 0, 'the event behind the gap')
  expect(ids()).toEqual([id])
})

test('a jump of the sequence, as after a crash, is stepped over', async () => {
  await using writer = await rawClient(database.url)
  await relay.activate()
  const first = await insertEvent(writer)
  await writer.query(`SELECT setval('events_id_seq', $1)`, [first + 1_000_000])
  const second = await insertEvent(writer)
  relay.wake()
  await eventually(() => told.length === 2, 'both events')
  expect(ids()).toEqual([first, second])
})

test('a burst of more than a batch comes whole and in order, with rolled back ids in it', async () => {
  await using writer = await rawClient(database.url)
  await relay.activate()
  const burst = `INSERT INTO events (type, data) SELECT 'task_deleted', '{}' FROM generate_series(1, 3000)`
  await writer.query(burst)
  await writer.query(`BEGIN; ${burst}; ROLLBACK`)
  await writer.query(burst)
  relay.wake()
  await eventually(() => told.length === 6000, '6000 events')
  const rows = await database.rows<{ id: number }>('SELECT id FROM events ORDER BY id')
  expect(ids()).toEqual(rows.map(({ id }) => id))
})

test('start waits for writers under way and tells nothing of what they wrote before it', async () => {
  await using first = await rawClient(database.url)
  await using second = await rawClient(database.url)
  await first.query('BEGIN')
  await insertEvent(first)
  const head = await insertEvent(second)
  const late: number[] = []
  const other = new Relay(db, logTo([]), (events) => void late.push(...events.map(({ id }) => id)))
  const started = other.start()
  await first.query('COMMIT')
  await started
  await other.activate()
  const next = await insertEvent(second)
  other.wake()
  await eventually(() => late.length > 0, 'the event after start')
  await other[Symbol.asyncDispose]()
  expect(next).toBeGreaterThan(head)
  expect(late).toEqual([next])
})

test('while idle the position follows without telling, and activation misses nothing after it', async () => {
  await using writer = await rawClient(database.url)
  const unheard = await insertEvent(writer)
  await eventually(() => db.count('event-ids-after') >= 2, 'idle looks')
  await relay.activate()
  expect(await relay.visibleAhead()).toEqual(new Set())
  const heard = [await insertEvent(writer), await insertEvent(writer)]
  relay.wake()
  await eventually(() => told.length >= 2, 'two events')
  expect(ids()).toEqual(heard)
  expect(ids()).not.toContain(unheard)
})

test('an idle look that is under way never swallows what comes after a second activation', async () => {
  await using writer = await rawClient(database.url)
  const release = db.hold('event-ids-after')
  await eventually(() => db.count('event-ids-after') >= 1, 'an idle look')
  const first = relay.activate()
  let secondIsReady = false
  const second = relay.activate().then(() => {
    secondIsReady = true
  })
  await database.rows('SELECT 1') // Whatever can become ready has done so.
  const wasReady = secondIsReady
  const id = await insertEvent(writer)
  release()
  await Promise.all([first, second])
  const last = await insertEvent(writer)
  relay.wake()
  await eventually(() => ids().includes(last), 'the last event')
  // A reader that was ready must get what was committed after that.
  expect(wasReady && !ids().includes(id)).toBe(false)
})

test('events that come with the wake-up are told without being read, and once', async () => {
  await using writer = await rawClient(database.url)
  await relay.activate()
  const inserted = [await insertEvent(writer), await insertEvent(writer)]
  const events = await storedEvents(database.db, inserted)
  const reads = db.hold('events-after')
  relay.wake(events)
  relay.wake(events)
  await eventually(() => told.length > 0, 'the events')
  expect(told).toEqual(events)
  reads()
  await looked('events-after')
  expect(told).toEqual(events)
})

test('events that come with the wake-up wait behind a gap, and are read with what fills it', async () => {
  await using first = await rawClient(database.url)
  await using second = await rawClient(database.url)
  await relay.activate()
  const before = await insertEvent(second)
  await first.query('BEGIN')
  const slow = await insertEvent(first)
  const fast = await insertEvent(second)
  relay.wake(await storedEvents(database.db, [before, fast]))
  await looked()
  expect(ids()).toEqual([before])
  await first.query('COMMIT')
  await eventually(() => told.length === 3, 'all three')
  expect(ids()).toEqual([before, slow, fast])
})

test('what is told with wake-ups while the listener is slow is told after it, and the rest is read', async () => {
  await using writer = await rawClient(database.url)
  const heard: number[] = []
  const { promise: gate, resolve: open } = Promise.withResolvers<void>()
  await using slow = new Relay(db, logTo([]), async (events) => {
    heard.push(...events.map(({ id }) => id))
    await gate
  })
  await slow.start()
  await slow.activate()
  const inserted: number[] = []
  for (let i = 0; i < 600; i++) {
    const id = await insertEvent(writer)
    inserted.push(id)
    slow.wake(await storedEvents(database.db, [id]))
  }
  open()
  await eventually(() => heard.length >= inserted.length, 'all events')
  expect(heard).toEqual(inserted)
})

test('the loss of all connections loses no event, and what is said of it comes to an end', async () => {
  await using writer = await rawClient(database.url)
  await relay.activate()
  const inserted: number[] = []
  for (let round = 0; round < 3; round++) {
    inserted.push(await insertEvent(writer))
    relay.wake()
    await writer.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND pid <> pg_backend_pid()`,
    )
    relay.wake()
    inserted.push(await insertEvent(writer))
  }
  await eventually(() => told.length >= inserted.length, 'all events')
  expect(ids()).toEqual(inserted)
  const count = (text: string) => lines.filter(({ msg }) => String(msg).startsWith(text)).length
  // A loss that no read meets is not said at all; one that is said comes to its end.
  const isOver = () => count('events wait for the database') === count('events flow again')
  await eventually(isOver, 'as many recoveries as losses')
})

test('disposal ends the reading, in the middle of a gap too', async () => {
  await using writer = await rawClient(database.url)
  await using other = await rawClient(database.url)
  await relay.activate()
  await writer.query('BEGIN')
  await insertEvent(writer)
  await insertEvent(other)
  await looked()
  await relay[Symbol.asyncDispose]()
  const reads = db.count('events-after')
  await writer.query('COMMIT')
  relay.wake()
  await database.rows('SELECT 1')
  expect(db.count('events-after')).toBe(reads)
  expect(ids()).toEqual([])
})
