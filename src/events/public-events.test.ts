import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts'
import { allTypes } from '../../test/support/event-harness.ts'
import { scopeOfUser } from '../../test/support/scopes.ts'
import { channels } from './event-types.ts'
import { readPage } from './replay.ts'

const OWNER = 7
let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
  // 50 of the 50,000 events are this user's, and 50 are about currencies.
  await database.rows(
    `INSERT INTO events (type, user_id, data)
     SELECT CASE WHEN n % 1000 = 1 THEN 'currency_updated' ELSE 'task_updated' END,
       CASE WHEN n % 1000 = 0 THEN $1::integer WHEN n % 1000 = 1 THEN NULL ELSE 8 END, '{}'
     FROM generate_series(1, 50000) n`,
    [OWNER],
  )
  await database.rows('ANALYZE events')
})
afterAll(() => database[Symbol.asyncDispose]())

const page = (types = allTypes, after = 0, limit = 500) =>
  readPage(
    database.db,
    { types, scope: scopeOfUser(OWNER), encoding: 'websocket' },
    { after, upTo: 1_000_000, limit },
  ).then(({ events }) => events)

test('a user who resumes gets their own events and those of currencies, in one order', async () => {
  const events = await page()
  expect(events).toHaveLength(100)
  expect(events.map(({ id }) => id)).toEqual(events.map(({ id }) => id).sort((a, b) => a - b))
  expect(new Set(events.map(({ type, audience }) => `${type} ${audience}`))).toEqual(
    new Set([`task_updated user:${OWNER}`, 'currency_updated public']),
  )
})

test('pages are full, and follow one another', async () => {
  const all = await page()
  const first = await page(allTypes, 0, 30)
  expect(first).toEqual(all.slice(0, 30))
  expect(await page(allTypes, first.at(-1)!.id, 30)).toEqual(all.slice(30, 60))
})

test('only what is asked for is told', async () => {
  expect(await page(new Set(channels.tasks))).toHaveLength(50)
  expect(await page(new Set(channels.currencies))).toHaveLength(50)
})

test('neither kind is looked for among the events of others', async () => {
  const texts: string[] = []
  const spy = {
    query: async ({ text, values }: { text: string; values?: unknown[] }) => {
      const explained = `EXPLAIN (FORMAT JSON) ${text}`
      texts.push(JSON.stringify(await database.rows(explained, values)))
      return { rows: [{ purged_to: 0, id: null }] } as never
    },
  }
  const audience = { types: allTypes, scope: scopeOfUser(OWNER), encoding: 'websocket' } as const
  await readPage(spy, audience, { after: 0, upTo: 1_000_000, limit: 500 })
  expect(texts[0]).toContain('events_user_id')
  expect(texts[0]).toContain('events_of_currencies')
  expect(texts[0]).not.toContain('Seq Scan on events')
})
