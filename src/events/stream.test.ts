import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts'
import {
  allTypes,
  alwaysRoom,
  frameReader,
  insertEvent,
  ObservedDatabase,
  plainRenderers,
  rawClient,
  readStream,
} from '../../test/support/event-harness.ts'
import { eventually } from '../../test/support/eventually.ts'
import { logTo } from '../../test/support/log.ts'
import { scopeOfUser } from '../../test/support/scopes.ts'
import type { EventType } from './event-types.ts'
import { EventStream } from './stream.ts'

const everybody = { types: allTypes, scope: scopeOfUser(), encoding: 'websocket' } as const
let database: TestDatabase
let writer: Awaited<ReturnType<typeof rawClient>>
let db: ObservedDatabase
let stream: EventStream

beforeAll(async () => {
  database = await createTestDatabase()
  writer = await rawClient(database.url)
})
afterAll(async () => {
  await writer.end()
  await database[Symbol.asyncDispose]()
})
beforeEach(async () => {
  db = new ObservedDatabase(database.db)
  stream = new EventStream(db, logTo([]), plainRenderers)
  await stream.start()
})
afterEach(() => stream[Symbol.asyncDispose]())

async function told(): Promise<number> {
  const id = await insertEvent(writer)
  stream.wake()
  return id
}

test('the envelope has a decimal id, type, time with microseconds and the data as rendered', async () => {
  const texts: Buffer[] = []
  const subscription = await stream.subscribe(everybody)
  subscription.open((frames) => texts.push(frames), alwaysRoom)
  const id = await insertEvent(writer, 'task_deleted', { task_id: 7 })
  stream.wake()
  await eventually(() => texts.length > 0, 'the event')
  const [row] = await database.rows<{ at: string }>('SELECT at FROM events WHERE id = $1', [id])
  const envelope = JSON.parse(texts[0]!.subarray(2).toString())
  expect(Object.keys(envelope)).toEqual(['id', 'type', 'at', 'data'])
  expect(envelope).toEqual({ id: String(id), type: 'task_deleted', at: row!.at, data: { task_id: 7 } })
  expect(envelope.at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
})

test('what comes between subscribing and opening is kept, in order', async () => {
  const other = await readStream(stream)
  const subscription = await stream.subscribe(everybody)
  const ids = [await told(), await told()]
  await eventually(() => other.ids.length === 2, 'both at the other reader')
  let bytes = 0
  subscription.open((frames) => {
    bytes += frames.length
  }, alwaysRoom)
  expect(bytes).toBeGreaterThan(0)
  expect(other.ids).toEqual(ids)
})

test('a reader gets its types only, and one that has gone gets nothing', async () => {
  const created = await readStream(stream, new Set<EventType>(['task_created']))
  const gone = await readStream(stream)
  const all = await readStream(stream)
  gone.close()
  gone.close() // Twice is once.
  const first = await told()
  const second = await insertEvent(writer, 'task_created', {})
  stream.wake()
  await eventually(() => all.ids.length === 2, 'both events')
  expect(all.ids).toEqual([first, second])
  expect(created.ids).toEqual([second])
  expect(gone.ids).toEqual([])
})

test('the end of the last other reader does not make a new one deaf', async () => {
  const release = db.hold('event-ids-after')
  await eventually(() => db.count('event-ids-after') > 0, 'an idle look')
  const staying = readStream(stream)
  const leaving = readStream(stream).then((reader) => reader.close())
  await database.rows('SELECT 1') // Whoever need not wait has come by now.
  await database.rows('SELECT 1')
  release()
  const reader = await staying
  await leaving
  const id = await told()
  await eventually(() => reader.ids.length > 0, 'the event at the one that stays')
  expect(reader.ids).toEqual([id])
})

test('who joins in the middle of a large delivery gets nothing of it', async () => {
  let joining: ReturnType<typeof readStream> | undefined
  const first = await readStream(stream, allTypes, () => {
    joining ??= readStream(stream)
  })
  await writer.query(
    `INSERT INTO events (type, data)
     SELECT 'task_deleted', json_build_object('text', repeat('x', 5000)) FROM generate_series(1, 400)`,
  )
  stream.wake()
  await eventually(() => first.ids.length === 400, 'the burst')
  expect(first.writes).toBeGreaterThan(3) // It came in several portions.
  const joined = await joining!
  const id = await told()
  await eventually(() => joined.ids.includes(id), 'the next event')
  expect(joined.ids).toEqual([id])
})

test('who leaves in the middle of a large delivery gets no more of it', async () => {
  let leaver: Awaited<ReturnType<typeof readStream>>
  const stayer = await readStream(stream)
  leaver = await readStream(stream, allTypes, () => leaver.close())
  await writer.query(
    `INSERT INTO events (type, data)
     SELECT 'task_deleted', json_build_object('text', repeat('x', 5000)) FROM generate_series(1, 400)`,
  )
  stream.wake()
  await eventually(() => stayer.ids.length === 400, 'the burst')
  expect(leaver.writes).toBe(1)
})

test('an event of a type that this version does not know takes no other event with it', async () => {
  const reader = await readStream(stream)
  await writer.query('BEGIN')
  const before = await insertEvent(writer)
  await insertEvent(writer, 'from_a_later_version')
  const after = await insertEvent(writer)
  await writer.query('COMMIT')
  stream.wake()
  const last = await told()
  await eventually(() => reader.ids.includes(last), 'the last event')
  expect(reader.ids).toEqual([before, after, last])
})

test('a reader of some types joins the common delivery again after it came', async () => {
  const everything = await readStream(stream)
  const release = db.hold('events-visible-ahead', 'after')
  // While its first look is under way, an event that it must not get and does not want passes.
  await writer.query('BEGIN')
  const held = await insertEvent(writer)
  const foreign = await insertEvent(await other(), 'task_created')
  const joining = readStream(stream, new Set<EventType>(['task_deleted']))
  await eventually(() => db.count('events-visible-ahead') === 2, 'its look ahead')
  await database.rows('SELECT 1')
  await writer.query('COMMIT')
  stream.wake()
  await eventually(() => everything.ids.includes(foreign), 'the foreign event')
  release()
  const reader = await joining
  await writer.query(
    `INSERT INTO events (type, data) SELECT 'task_deleted', '{}' FROM generate_series(1, 50)`,
  )
  stream.wake()
  await eventually(() => reader.ids.length >= 50, 'fifty events')
  expect(reader.ids.filter((id) => id > foreign)).toHaveLength(50)
  expect(everything.ids.slice(0, 2)).toEqual([held, foreign])
  expect(reader.writes).toBeLessThan(10)
})

test('a subscription that fails leaves nothing behind, and the next one works', async () => {
  const broken = new EventStream(
    Object.assign(new ObservedDatabase(database.db), {
      query: async (statement: { name?: string }) => {
        if (statement.name === 'events-visible-ahead' && failures-- > 0) throw new Error('gone')
        return await database.db.query(statement as never)
      },
    }),
    logTo([]),
    plainRenderers,
  )
  let failures = 1
  await broken.start()
  await expect(broken.subscribe(everybody)).rejects.toThrow('gone')
  const reader = await readStream(broken)
  const id = await told()
  broken.wake()
  await eventually(() => reader.ids.length > 0, 'the event')
  expect(reader.ids).toEqual([id])
  await broken[Symbol.asyncDispose]()
})

async function other() {
  second ??= await rawClient(database.url)
  return second
}
let second: Awaited<ReturnType<typeof rawClient>> | undefined
afterAll(() => second?.end())

test('an event that cannot be rendered is left out, with an error in the log: it stops nobody', async () => {
  const lines: Record<string, unknown>[] = []
  const picky = new EventStream(db, logTo(lines), {
    ...plainRenderers,
    task_created: ({ title }: { title: string }) => ({ title: title.trim() }),
  })
  await using _end = picky
  await picky.start()
  const live = await readStream(picky)
  const [before] = [await insertEvent(writer)]
  const bad = await insertEvent(writer, 'task_created', { headline: 'of another version' })
  const good = await insertEvent(writer, 'task_created', { title: 'good ' })
  picky.wake()
  await eventually(() => live.ids.includes(good), 'what came behind it')
  expect(live.ids).toEqual([before, good])

  const resumed: string[] = []
  const subscription = await picky.subscribe(everybody, before - 1)
  subscription.open(
    frameReader((text) => void resumed.push(JSON.parse(text).id)),
    alwaysRoom,
  )
  await eventually(() => resumed.includes(String(good)), 'what came behind it, to who resumes')
  expect(resumed).toEqual([undefined, String(before), String(good)])
  subscription.close()

  const page = await picky.page(everybody, before - 1, 2)
  expect(page).toMatchObject({ next: bad, more: true })
  expect(page!.envelopes.map((text) => JSON.parse(text).id)).toEqual([String(before)])
  expect(lines.filter(({ level }) => level === 50)).toMatchObject([
    { eventId: bad },
    { eventId: bad },
    { eventId: bad },
  ])
})

test('a page does not wait for a transaction that stays open: it ends before it', async () => {
  const [before] = [await insertEvent(writer)]
  await using other = await rawClient(database.url)
  await other.query('BEGIN')
  await insertEvent(other)
  const hidden = await insertEvent(writer)
  const page = await stream.page(everybody, before - 1, 10)
  expect(page!.envelopes.map((text) => JSON.parse(text).id)).toEqual([String(before)])
  expect(page).toMatchObject({ next: before, more: false })
  await other.query('ROLLBACK')
  const next = await stream.page(everybody, before, 10)
  expect(next!.envelopes.map((text) => JSON.parse(text).id)).toEqual([String(hidden)])
})
