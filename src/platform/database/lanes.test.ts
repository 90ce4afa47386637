import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { Lanes } from './lanes.ts'

const COUNT = 5
const LISTS_AT_ONCE = 2
const LISTS_AT_MOST = 3
let database: TestDatabase
let pool: pg.Pool
let lanes: Lanes
const name = `lanes-${randomUUID().slice(0, 8)}`

beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database[Symbol.asyncDispose]())
beforeEach(() => {
  pool = new pg.Pool({
    connectionString: database.url,
    application_name: name,
    pipeline: true,
    max: COUNT + 1,
  } as pg.PoolConfig)
  pool.on('error', () => {})
  lanes = new Lanes(() => pool.connect(), COUNT, LISTS_AT_ONCE)
  return async () => {
    lanes.close()
    await pool.end()
  }
})

const pidNow = async (read?: 'quick' | 'list') =>
  (await lanes.query<{ pid: number }>({ text: 'SELECT pg_backend_pid() AS pid' }, read)).rows[0]!.pid
const burst = (read?: 'quick' | 'list') => Promise.all(Array.from({ length: 20 }, () => pidNow(read)))
// Lanes are opened one after the other, as they are needed.
const openAll = () =>
  vi.waitFor(async () => {
    await burst()
    expect(pool.totalCount).toBe(COUNT)
  })
const sleep = (seconds: number) =>
  lanes.query<{ pid: number }>({
    text: 'SELECT pg_backend_pid() AS pid, pg_sleep($1)',
    values: [seconds],
  })
const active = () =>
  database.rows<{ pid: number }>(
    `SELECT pid FROM pg_stat_activity WHERE application_name = $1 AND state = 'active' ORDER BY pid`,
    [name],
  )

test('many statements share a few connections, and one caller alone uses one', async () => {
  const alone = new Set<number>()
  for (let i = 0; i < 5; i++) alone.add(await pidNow())
  expect(alone.size).toBe(1)
  await openAll()
  expect(new Set(await burst()).size).toBe(COUNT)
  expect(pool.totalCount).toBe(COUNT)
})

test('lists keep to a few connections, and leave one to the others', async () => {
  await vi.waitFor(async () => {
    await burst('list')
    expect(pool.totalCount).toBe(LISTS_AT_ONCE)
  })
  await openAll()
  const ofLists = new Set(await burst('list'))
  expect(ofLists.size).toBe(LISTS_AT_ONCE)
  const lists = burst('list')
  const others = await Promise.all([pidNow(), pidNow('quick')])
  expect(new Set(others).isDisjointFrom(ofLists)).toBe(true)
  await lists
})

test('nothing waits behind a statement that turns out to be slow, lists neither', async () => {
  await openAll()
  let isOver = false
  const slow = Promise.allSettled([sleep(30), sleep(30)]).finally(() => {
    isOver = true
  })
  const sleeping = await vi.waitFor(async () => {
    const found = await active()
    expect(found).toHaveLength(2)
    return found.map(({ pid }) => pid)
  })
  // On a machine that is overloaded, a statement may be sent behind a slow one in that one's first 200 ms.
  await delay(300)
  for (let round = 0; round < 5; round++) await Promise.all([burst(), burst('quick'), burst('list')])
  expect(isOver).toBe(false)
  await database.rows('SELECT pg_cancel_backend(pid) FROM unnest($1::integer[]) AS pid', [sleeping])
  await slow
})

test('lists that are slow come on further connections, but never on the last ones', async () => {
  await openAll()
  // One after the other, each when those before it have been found to be slow.
  const lists = Array.from({ length: 4 * LISTS_AT_MOST }, async (_, i) => {
    await delay(20 * i)
    return lanes.query<{ pid: number }>({ text: 'SELECT pg_backend_pid() AS pid FROM pg_sleep(0.6)' }, 'list')
  })
  let others: number[] = []
  // While the machine is so busy that no connection gets on, they come anywhere.
  await vi.waitFor(async () => {
    expect(await active()).toHaveLength(LISTS_AT_MOST)
    others = await burst()
    expect(new Set(others)).toHaveLength(COUNT - LISTS_AT_MOST)
  }, 2_000)
  const ofLists = new Set((await Promise.all(lists)).map(({ rows }) => rows[0]!.pid))
  expect(ofLists.size).toBe(LISTS_AT_MOST)
  expect(new Set(others).isDisjointFrom(ofLists)).toBe(true)
})

test('when all are slow, statements spread over them and are answered in the end', async () => {
  await openAll()
  const slow = Array.from({ length: COUNT }, () => sleep(0.3))
  await vi.waitFor(async () => expect(await active()).toHaveLength(COUNT))
  await delay(50)
  expect(new Set(await burst()).size).toBe(COUNT)
  await Promise.all(slow)
})

test('a statement that fails takes none with it', async () => {
  const results = await Promise.allSettled(
    Array.from({ length: 60 }, (_, i) =>
      lanes.query({ text: 'SELECT 1 / $1::integer AS x', values: [i % 3] }),
    ),
  )
  expect(results.filter(({ status }) => status === 'rejected')).toHaveLength(20)
  expect(results.every(({ status }, i) => (status === 'rejected') === (i % 3 === 0))).toBe(true)
})

test('a killed connection fails what was in flight on it, and at once the next statement works', async () => {
  for (let round = 0; round < 5; round++) {
    await openAll()
    const slow = Array.from({ length: COUNT }, () => sleep(30).catch((error: Error) => error))
    const busy = await vi.waitFor(async () => {
      const pids = await active()
      expect(pids).toHaveLength(COUNT)
      return pids
    })
    const [victim, ...others] = busy.map(({ pid }) => pid)
    await database.rows('SELECT pg_terminate_backend($1)', [victim])
    expect(await Promise.race(slow)).toBeInstanceOf(Error)
    // Exactly now, before the connection's end has been noticed.
    expect(others).not.toContain(await pidNow())
    expect((await active()).map(({ pid }) => pid)).toEqual(others)
    for (const pid of others) await database.rows('SELECT pg_cancel_backend($1)', [pid])
    expect(await Promise.all(slow)).toEqual(slow.map(() => expect.any(Error)))
  }
})

test('connections lost while idle are replaced', async () => {
  await openAll()
  const killed = await database.rows<{ pid: number }>(
    'SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1',
    [name],
  )
  expect(killed).toHaveLength(COUNT)
  await vi.waitFor(() => expect(pool.totalCount).toBe(0))
  await openAll()
  const pids = await burst()
  expect(killed.filter(({ pid }) => pids.includes(pid))).toEqual([])
})
