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
} from '../../test/support/event-harness.ts'
import { eventually } from '../../test/support/eventually.ts'
import { logTo } from '../../test/support/log.ts'
import { scopeOfUser } from '../../test/support/scopes.ts'
import { purgeEvents } from './outbox.ts'
import { EventStream, type Flow } from './stream.ts'

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

/** Subscribes with a cursor and notes what comes. */
async function resume(after: number, flow: Flow = alwaysRoom) {
  const got: { id?: string; type: string; data: object }[] = []
  const subscription = await stream.subscribe(everybody, after)
  subscription.open(
    frameReader((text) => void got.push(JSON.parse(text))),
    flow,
  )
  const ids = () => got.flatMap(({ id }) => (id === undefined ? [] : [Number(id)]))
  return { got, ids, close: subscription.close }
}

async function write(count: number): Promise<number[]> {
  const ids: number[] = []
  for (let i = 0; i < count; i++) ids.push(await insertEvent(writer))
  return ids
}

test('first a notice without an id, then what was missed, then what comes', async () => {
  const [before, ...missed] = await write(4)
  const reader = await resume(before!)
  const [live] = await write(1)
  stream.wake()
  await eventually(() => reader.ids().length === 4, 'all events')
  expect(reader.got[0]).toEqual({ type: 'resumed', data: { after: String(before), recovered: true } })
  expect(reader.ids()).toEqual([...missed, live])
  reader.close()
})

test('a cursor beyond what this process has looked at, as of another process, hears only what follows it', async () => {
  const ids = await write(3)
  // This stream has not looked since: its place is before all of them.
  const reader = await resume(ids[1]!)
  const [later] = await write(1)
  stream.wake()
  await eventually(() => reader.ids().includes(later!), 'the later one')
  expect(reader.ids()).toEqual([ids[2], later])
  reader.close()
})

test('a cursor that never was is not recovered, and hears what comes', async () => {
  const [last] = await write(1)
  const reader = await resume(last! + 1000)
  const [live] = await write(1)
  stream.wake()
  await eventually(() => reader.ids().length > 0, 'the live one')
  expect(reader.got[0]).toMatchObject({ type: 'resumed', data: { recovered: false } })
  expect(reader.ids()).toEqual([live])
  reader.close()
})

test('what has been purged is not recovered, not even when one event only is missing; its neighbour is', async () => {
  const ids = await write(6)
  await database.rows(`UPDATE events SET at = now() - interval '8 days' WHERE id <= $1`, [ids[2]])
  expect(await purgeEvents(database.db, 7, 1_000_000)).toBeGreaterThanOrEqual(3)
  const late = await resume(ids[1]!)
  const inTime = await resume(ids[2]!)
  await eventually(() => inTime.ids().length === 3, 'the rest')
  expect(late.got).toEqual([{ type: 'resumed', data: { after: String(ids[1]), recovered: false } }])
  expect(inTime.ids()).toEqual(ids.slice(3))
  late.close()
  inTime.close()
})

test('a purge that overtakes a replay ends it: never a partial one', async () => {
  const ids = await write(1200)
  let lost = false
  let wait = Promise.withResolvers<void>()
  const first = wait
  const reader = await resume(ids[0]! - 1, {
    waitForDrain: () => wait.promise,
    lost: () => {
      lost = true
    },
  })
  await database.rows(`UPDATE events SET at = now() - interval '8 days' WHERE id <= $1`, [ids[1100]])
  await purgeEvents(database.db, 7, 1_000_000)
  wait = Promise.withResolvers()
  wait.resolve()
  first.resolve()
  await eventually(() => lost, 'the reader is told')
  expect(reader.ids()).toEqual([])
  reader.close()
})

test('a replay reads no page ahead of a reader who does not read', async () => {
  const ids = await write(1600)
  const waits: (() => void)[] = []
  const reader = await resume(ids[0]!, {
    ...alwaysRoom,
    waitForDrain: () => new Promise((resolve) => waits.push(resolve)),
  })
  const pages = () => db.count('events-page')
  expect(pages()).toBe(0)
  for (let turn = 0; reader.ids().length < 1599; turn++) {
    await eventually(() => waits.length > turn || reader.ids().length === 1599, 'the replay goes on')
    expect(pages() * 500).toBeLessThanOrEqual(reader.ids().length + 500)
    waits[turn]?.()
  }
  expect(reader.ids()).toEqual(ids.slice(1))
  reader.close()
})

test('the database may go away during a replay; it goes on when it is back', async () => {
  const ids = await write(700)
  let failures = 2
  db.onQuery = (name) => {
    if (name === 'events-page' && failures-- > 0) throw new Error('gone')
  }
  const reader = await resume(ids[0]!)
  await eventually(() => reader.ids().length === 699, 'all of it')
  expect(reader.ids()).toEqual(ids.slice(1))
  reader.close()
})

test('pages for programs end where the stream stands, and go on from there', async () => {
  const [before, ...rest] = await write(5)
  const page = await stream.page(everybody, before!, 3)
  expect(page).toMatchObject({ more: true, next: rest[2] })
  expect(page!.envelopes.map((text) => Number(JSON.parse(text).id))).toEqual(rest.slice(0, 3))
  const last = await stream.page(everybody, page!.next, 3)
  expect(last!.envelopes).toHaveLength(1)
  expect(last).toMatchObject({ more: false, next: rest[3] })
  expect(await stream.page(everybody, rest[3]! + 5000, 3)).toBeUndefined()
})

test('Server-Sent Events carry the id, the notice does not', async () => {
  const [before, missed] = await write(2)
  let text = ''
  const subscription = await stream.subscribe({ ...everybody, encoding: 'sse' }, before)
  subscription.open((frames) => {
    text += frames.toString()
  }, alwaysRoom)
  await eventually(() => text.includes('id: '), 'the event')
  const [notice, event] = text.split('\n\n')
  expect(notice).toMatch(/^data: \{"type":"resumed"/)
  expect(event).toMatch(new RegExp(`^id: ${missed}\ndata: \\{"id":"${missed}"`))
  subscription.close()
})
