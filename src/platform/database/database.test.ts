import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { DomainError } from '../../core/errors.ts'
import { type Database, openDatabase, type Queryable, type Transaction } from './database.ts'

let database: TestDatabase
let db: Database
beforeAll(async () => {
  database = await createTestDatabase()
  db = database.db
  await db.query({ text: 'CREATE TABLE things (id integer PRIMARY KEY, value integer NOT NULL)' })
  await db.query({ text: 'INSERT INTO things VALUES (1, 0), (2, 0)' })
})
afterAll(() => database[Symbol.asyncDispose]())

const stored = async (id: number) =>
  (await db.query<{ value: number }>({ text: 'SELECT value FROM things WHERE id = $1', values: [id] }))
    .rows[0]?.value
const add = (on: Queryable, id: number) =>
  on.query({ text: 'UPDATE things SET value = value + 1 WHERE id = $1', values: [id] })
const failing = (state: string) => ({
  text: `DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '${state}'; END $$`,
})

test('a transaction is committed as a whole, and an exception rolls it back', async () => {
  const before = (await stored(1))!
  expect(await db.transaction(async (transaction) => (await add(transaction, 1)).rowCount)).toBe(1)
  expect(await stored(1)).toBe(before + 1)
  const failure = new Error('thought better of it')
  const work = async (transaction: Transaction) => {
    await add(transaction, 1)
    throw failure
  }
  await expect(db.transaction(work)).rejects.toBe(failure)
  expect(await stored(1)).toBe(before + 1)
})

test('a transaction whose failed statement was swallowed does not pass for committed', async () => {
  const before = await stored(1)
  const work = async (transaction: Transaction) => {
    await add(transaction, 1)
    await transaction.query(failing('23505')).catch(() => {})
    return 'done'
  }
  await expect(db.transaction(work)).rejects.toThrow()
  expect(await stored(1)).toBe(before)
})

test('a transaction is run again after a serialization failure', async () => {
  const before = (await stored(2))!
  let attempts = 0
  await db.transaction(async (transaction) => {
    attempts++
    await transaction.query({ text: 'SET TRANSACTION ISOLATION LEVEL REPEATABLE READ' })
    await transaction.query({ text: 'SELECT * FROM things' })
    if (attempts === 1) await add(db, 2)
    await add(transaction, 2)
  })
  expect(attempts).toBe(2)
  expect(await stored(2)).toBe(before + 2)
})

test('both sides of a deadlock get through', async () => {
  const [one, two] = [(await stored(1))!, (await stored(2))!]
  let attempts = 0
  let held = 0
  const work = (first: number, second: number) => async (transaction: Transaction) => {
    attempts++
    await add(transaction, first)
    held++
    await vi.waitFor(() => expect(held).toBeGreaterThanOrEqual(2), { timeout: 10_000, interval: 2 })
    await add(transaction, second)
  }
  await Promise.all([db.transaction(work(1, 2)), db.transaction(work(2, 1))])
  // The one that gave way may get in the way once more.
  expect(attempts).toBeGreaterThanOrEqual(3)
  expect([await stored(1), await stored(2)]).toEqual([one + 2, two + 2])
})

test('a transaction that always fails is given up after five attempts; other errors are not retried', async () => {
  const attemptsUntilFailure = async (state: string) => {
    let attempts = 0
    const work = (transaction: Transaction) => {
      attempts++
      return transaction.query(failing(state))
    }
    await expect(db.transaction(work)).rejects.toThrow()
    return attempts
  }
  expect(await attemptsUntilFailure('40001')).toBe(5)
  expect(await attemptsUntilFailure('40P01')).toBe(5)
  expect(await attemptsUntilFailure('23505')).toBe(1)
})

test('a statement beyond its time limit is "unavailable", and its connection goes on', async () => {
  const slow = async (transaction: Transaction) => {
    await transaction.query({ text: "SET LOCAL statement_timeout = '20ms'" })
    return transaction.query({ text: 'SELECT pg_sleep(20)' })
  }
  const error = await db.transaction(slow).catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(DomainError)
  expect(error).toMatchObject({ code: 'unavailable', status: 503, headers: { 'retry-after': '1' } })
  expect(await db.transaction(async (transaction) => (await add(transaction, 1)).rowCount)).toBe(1)
  // The limit of ordinary statements is there and is not one that a healthy statement meets.
  const { rows } = await db.query<{ statement_timeout: string }>({ text: 'SHOW statement_timeout' })
  expect(rows[0]!.statement_timeout).toBe('15s')
})

test('a transaction whose connection is killed fails as "unavailable", and the next one works', async () => {
  const before = await stored(1)
  const work = async (transaction: Transaction) => {
    await add(transaction, 1)
    const { rows } = await transaction.query<{ pid: number }>({ text: 'SELECT pg_backend_pid() AS pid' })
    await db.query({ text: 'SELECT pg_terminate_backend($1)', values: [rows[0]!.pid] })
    await add(transaction, 2)
  }
  await expect(db.transaction(work)).rejects.toMatchObject({ code: 'unavailable' })
  await vi.waitFor(async () => expect(await stored(1)).toBe(before))
  await expect(db.transaction((transaction) => add(transaction, 1))).resolves.toMatchObject({ rowCount: 1 })
})

test('what a session holds is free once it is disposed', async () => {
  const lock = { text: "SELECT pg_try_advisory_lock(hashtext('a test')) AS got" }
  const holder = await db.session()
  expect((await holder.query<{ got: boolean }>(lock)).rows[0]!.got).toBe(true)
  {
    await using other = await db.session()
    expect((await other.query<{ got: boolean }>(lock)).rows[0]!.got).toBe(false)
  }
  await holder[Symbol.asyncDispose]()
  await using next = await db.session()
  await vi.waitFor(async () => expect((await next.query<{ got: boolean }>(lock)).rows[0]!.got).toBe(true))
})

test('times are ISO text in UTC with microseconds and big integers are numbers, also when the URL has options', async () => {
  const text = `SELECT '2025-12-15 15:00:31.1684+03'::timestamptz AS at, 9007199254740991::int8 AS big,
    to_json('2025-12-15 15:00:31.1684+03'::timestamptz) AS json`
  const expected = {
    at: '2025-12-15T12:00:31.168400Z',
    big: Number.MAX_SAFE_INTEGER,
    json: '2025-12-15T12:00:31.1684+00:00',
  }
  expect((await db.query({ text })).rows).toEqual([expected])
  const url = `${database.url}${database.url.includes('?') ? '&' : '?'}options=-c%20TimeZone%3DAsia/Tokyo%20-c%20work_mem%3D8MB`
  await using optioned = openDatabase({ connectionString: url }, () => {})
  expect((await optioned.query({ text })).rows).toEqual([expected])
  expect((await optioned.query({ text: 'SHOW work_mem' })).rows).toEqual([{ work_mem: '8MB' }])
})

test('a server that does not answer fails the ping in time; one that is not there is "unavailable"', async () => {
  const sockets: Socket[] = []
  const silent = createServer((socket) => void sockets.push(socket)).listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const { port } = silent.address() as { port: number }
  const deaf = openDatabase({ host: '127.0.0.1', port, user: 'x', database: 'x' }, () => {})
  onTestFinished(async () => {
    await deaf[Symbol.asyncDispose]()
  })
  await expect(deaf.ping(50)).rejects.toThrow('no answer in 50 ms')
  silent.close()
  for (const socket of sockets) socket.destroy()
  await once(silent, 'close')
  const error = await deaf.query({ text: 'SELECT 1' }).catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ code: 'unavailable', status: 503 })
  expect((error as Error).message).not.toContain(String(port))
  await expect(deaf.transaction(async () => 1)).rejects.toMatchObject({ code: 'unavailable' })
  await expect(deaf.session()).rejects.toMatchObject({ code: 'unavailable' })
})

test('closing while a connection is being opened comes to an end', async () => {
  const other = openDatabase({ connectionString: database.url }, () => {})
  const late = Promise.allSettled([
    other.query({ text: 'SELECT 1' }),
    other.query({ text: 'SELECT 1' }),
    other.transaction((transaction) => transaction.query({ text: 'SELECT 1' })),
  ])
  await other[Symbol.asyncDispose]()
  expect(await late).toHaveLength(3)
  await expect(other.query({ text: 'SELECT 1' })).rejects.toMatchObject({ code: 'unavailable' })
})
