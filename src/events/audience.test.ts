import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts'
import { allTypes, alwaysRoom, frameReader, plainRenderers } from '../../test/support/event-harness.ts'
import { eventually } from '../../test/support/eventually.ts'
import { logTo } from '../../test/support/log.ts'
import { scopeOfUser } from '../../test/support/scopes.ts'
import {
  audienceOf,
  audienceOfUser,
  mayReceive,
  mayReceiveSql,
  storedAudience,
  userOfAudience,
} from './audience.ts'
import type { Audience, EventType } from './event-types.ts'
import { readPage } from './replay.ts'
import { EventStream } from './stream.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database[Symbol.asyncDispose]())

const userIds = [1, 2, 12, 2_147_483_647]
const userId = fc.constantFrom(...userIds)
const scopes = fc.option(userId, { nil: undefined }).map(scopeOfUser)
const audiences = fc.oneof(
  fc.constantFrom<Audience>('public', 'admins'),
  userId.map((id): Audience => `user:${id}`),
)
const types = fc.constantFrom<EventType>(...allTypes)
const owners = fc.option(userId, { nil: null })

test('SQL and TypeScript decide alike who may receive an event', async () => {
  const text = `SELECT coalesce(bool_and(${mayReceiveSql('scope', 'audience')} = expected), false) AS alike
    FROM unnest($1::integer[], $2::text[], $3::boolean[]) AS t (scope, audience, expected)`
  const pairs = fc.array(fc.tuple(scopes, audiences), { minLength: 1, maxLength: 50 })
  await fc.assert(
    fc.asyncProperty(pairs, async (cases) => {
      const [row] = await database.rows<{ alike: boolean }>(text, [
        cases.map(([scope]) => scope.parameter),
        cases.map(([, audience]) => audience),
        cases.map(([scope, audience]) => mayReceive(scope, audience)),
      ])
      expect(row!.alike).toBe(true)
    }),
    { numRuns: 50 },
  )
})

test('SQL and TypeScript derive the same audience, and the same user from it', async () => {
  const derived = storedAudience({ audience: 'NULL::text', type: 'type', userId: 'user_id' })
  const text = `SELECT ${derived} AS derived, ${userOfAudience(derived)} AS "user", ${audienceOfUser('user_id')} AS written
    FROM (SELECT $1::text AS type, $2::integer AS user_id) e`
  await fc.assert(
    fc.asyncProperty(types, owners, async (type, owner) => {
      const audience = audienceOf(type, owner)
      const [row] = await database.rows<{ derived: string; user: number | null; written: string }>(text, [
        type,
        owner,
      ])
      expect(row!.derived).toBe(audience)
      expect(row!.user).toBe(audience === 'public' ? null : owner)
      if (audience !== 'public') expect(row!.written).toBe(audience)
    }),
    { numRuns: 60 },
  )
})

test('a page of rows with and without an audience has what the reader may receive, and nothing else', async () => {
  const rows = fc.array(fc.tuple(types, owners, fc.boolean()), { minLength: 1, maxLength: 40 })
  await fc.assert(
    fc.asyncProperty(rows, scopes, async (events, scope) => {
      const [start] = await database.rows<{ id: number }>('SELECT coalesce(max(id), 0) AS id FROM events')
      const after = start!.id
      for (const [type, owner, isOld] of events) {
        // The release before the column `audience` inserts this way.
        if (isOld)
          await database.rows("INSERT INTO events (type, user_id, data) VALUES ($1, $2, '{}')", [type, owner])
        else
          await database.rows(
            "INSERT INTO events (type, user_id, audience, data) VALUES ($1, $2, $3, '{}')",
            [type, owner, audienceOf(type, owner)],
          )
      }
      const filter = { types: allTypes, scope, encoding: 'websocket' as const }
      const page = await readPage(database.db, filter, { after, upTo: after + 1_000, limit: 500 })
      const expected = events.flatMap(([type, owner]) => {
        const audience = audienceOf(type, owner)
        return mayReceive(scope, audience) ? [{ type, audience }] : []
      })
      expect(page.events.map(({ type, audience }) => ({ type, audience }))).toEqual(expected)
    }),
    { numRuns: 25 },
  )
})

test('a user receives public events and their own, an admin receives all', () => {
  const received = (id?: number) =>
    (['public', 'admins', 'user:1', 'user:12'] as const).filter((audience) =>
      mayReceive(scopeOfUser(id), audience),
    )
  expect(received(1)).toEqual(['public', 'user:1'])
  expect(received(12)).toEqual(['public', 'user:12'])
  expect(received()).toEqual(['public', 'admins', 'user:1', 'user:12'])
})

test('events as the release before writes them reach the same readers live, on resuming and as a page', async () => {
  await using stream = new EventStream(database.db, logTo([]), plainRenderers)
  await stream.start()
  const after = await stream.settled()
  const readers = await Promise.all([1, 2, undefined].map((id) => read(stream, id)))
  const inserted = await database.rows<{ id: number; type: EventType; user_id: number | null }>(
    `INSERT INTO events (type, user_id, data) VALUES
      ('task_updated', 1, '{}'), ('task_updated', 2, '{}'), ('task_updated', NULL, '{}'),
      ('currency_updated', NULL, '{}'), ('currency_updated', 2, '{}') RETURNING id, type, user_id`,
  )
  stream.wake()
  const ids = inserted.map(({ id }) => id)
  const expected = [[ids[0], ids[3], ids[4]], [ids[1], ids[3], ids[4]], ids]
  const resumed = await Promise.all([1, 2, undefined].map((id) => read(stream, id, after)))
  await eventually(
    () => [...readers, ...resumed].every((received, i) => received.length >= expected[i % 3]!.length),
    'the events',
  )
  expect(readers).toEqual(expected)
  expect(resumed).toEqual(expected)
  for (const [i, id] of [1, 2, undefined].entries()) {
    const filter = { types: allTypes, scope: scopeOfUser(id), encoding: 'sse' as const }
    const page = await stream.page(filter, after, 100)
    expect(page!.envelopes.map((text) => Number(JSON.parse(text).id))).toEqual(expected[i])
  }
})

/** Returns the ids of the events that a reader receives; the list grows. The notice `resumed` has no id. */
async function read(stream: EventStream, userId?: number, after?: number): Promise<number[]> {
  const filter = { types: allTypes, scope: scopeOfUser(userId), encoding: 'websocket' as const }
  const ids: number[] = []
  const subscription = await stream.subscribe(filter, after)
  const take = frameReader((text) => {
    const { id } = JSON.parse(text)
    if (id !== undefined) ids.push(Number(id))
  })
  subscription.open(take, alwaysRoom)
  return ids
}
