import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { type Database, openDatabase, type Queryable, type Transaction } from './database.ts'

const reported: unknown[] = []
let database: TestDatabase
let db: Database
beforeAll(async () => {
  database = await createTestDatabase()
  db = openDatabase({ connectionString: database.url }, () => {}, {
    onEffectError: (error) => reported.push(error),
  })
  await db.query({ text: 'CREATE TABLE things (id integer PRIMARY KEY, value integer NOT NULL)' })
  await db.query({ text: 'INSERT INTO things VALUES (1, 0), (2, 0)' })
})
afterAll(async () => {
  await db[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})

const add = (on: Queryable, id: number) =>
  on.query({ text: 'UPDATE things SET value = value + 1 WHERE id = $1', values: [id] })
/** The value as another connection sees it, which is the committed one. */
const committed = async (id: number) =>
  (await database.rows<{ value: number }>('SELECT value FROM things WHERE id = $1', [id]))[0]!.value
const failing = (state: string) => ({
  text: `DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '${state}'; END $$`,
})

test('the effects of a transaction run in their order after COMMIT, and before its caller goes on', async () => {
  const before = await committed(1)
  const seen: string[] = []
  let readByEffect: Promise<number> | undefined
  const result = await db.transaction(async (transaction) => {
    transaction.afterCommit(() => seen.push('first'))
    await add(transaction, 1)
    transaction.afterCommit(() => {
      seen.push('second')
      readByEffect = committed(1)
    })
    seen.push('work')
    return 'answer'
  })
  seen.push('caller')
  expect(result).toBe('answer')
  expect(seen).toEqual(['work', 'first', 'second', 'caller'])
  expect(await readByEffect).toBe(before + 1)
})

test('effects do not run after a rollback', async () => {
  const effect = vi.fn()
  const failure = new Error('thought better of it')
  const throwing = async (transaction: Transaction) => {
    await add(transaction, 1)
    transaction.afterCommit(effect)
    throw failure
  }
  await expect(db.transaction(throwing)).rejects.toBe(failure)
  const swallowing = async (transaction: Transaction) => {
    transaction.afterCommit(effect)
    await transaction.query(failing('23505')).catch(() => {})
  }
  await expect(db.transaction(swallowing)).rejects.toThrow('rolled back')
  const deferred = async (transaction: Transaction) => {
    await transaction.query({
      text: 'CREATE TEMP TABLE twins (id integer UNIQUE DEFERRABLE INITIALLY DEFERRED)',
    })
    await transaction.query({ text: 'INSERT INTO twins VALUES (1), (1)' })
    transaction.afterCommit(effect)
  }
  await expect(db.transaction(deferred)).rejects.toMatchObject({ code: '23505' })
  expect(effect).not.toHaveBeenCalled()
})

test('effects do not run when the connection is lost before COMMIT is answered', async () => {
  const effect = vi.fn()
  const work = async (transaction: Transaction) => {
    transaction.afterCommit(effect)
    const { rows } = await transaction.query<{ pid: number }>({ text: 'SELECT pg_backend_pid() AS pid' })
    await db.query({ text: 'SELECT pg_terminate_backend($1)', values: [rows[0]!.pid] })
    await add(transaction, 1)
  }
  await expect(db.transaction(work)).rejects.toMatchObject({ code: 'unavailable' })
  expect(effect).not.toHaveBeenCalled()
})

test('when both sides of a deadlock are retried, the effects of each run once', async () => {
  const before = [await committed(1), await committed(2)]
  const effects: string[] = []
  let attempts = 0
  let held = 0
  const work = (first: number, second: number) => async (transaction: Transaction) => {
    attempts++
    transaction.afterCommit(() => effects.push(`${first} before ${second}`))
    await add(transaction, first)
    held++
    await vi.waitFor(() => expect(held).toBeGreaterThanOrEqual(2), { timeout: 10_000, interval: 2 })
    await add(transaction, second)
  }
  await Promise.all([db.transaction(work(1, 2)), db.transaction(work(2, 1))])
  expect(attempts).toBeGreaterThanOrEqual(3)
  expect(effects.sort()).toEqual(['1 before 2', '2 before 1'])
  expect([await committed(1), await committed(2)]).toEqual([before[0]! + 2, before[1]! + 2])
})

test('only the effects of the last attempt run, also when an earlier one registered others', async () => {
  const effects: number[] = []
  let attempts = 0
  await db.transaction(async (transaction) => {
    const attempt = ++attempts
    transaction.afterCommit(() => effects.push(attempt))
    if (attempt < 3) await transaction.query(failing('40P01'))
  })
  expect(effects).toEqual([3])
})

test('an effect that fails is reported, and neither the answer nor the other effects change', async () => {
  reported.length = 0
  const before = await committed(1)
  const [thrown, rejected] = [new Error('thrown'), new Error('rejected')]
  const last = vi.fn()
  const result = await db.transaction(async (transaction) => {
    await add(transaction, 1)
    transaction.afterCommit(() => {
      throw thrown
    })
    transaction.afterCommit(() => Promise.reject(rejected))
    transaction.afterCommit(last)
    return 'answer'
  })
  expect(result).toBe('answer')
  expect(last).toHaveBeenCalledTimes(1)
  expect(await committed(1)).toBe(before + 1)
  await vi.waitFor(() => expect(reported).toEqual([thrown, rejected]))
})

test('on the database an effect runs at once, and one that fails is reported', async () => {
  reported.length = 0
  const before = await committed(1)
  await add(db, 1)
  let readByEffect: Promise<number> | undefined
  db.afterCommit(() => {
    readByEffect = committed(1)
  })
  expect(await readByEffect).toBe(before + 1)
  const failure = new Error('thrown')
  db.afterCommit(() => {
    throw failure
  })
  expect(reported).toEqual([failure])
})

test('an effect that runs a transaction of its own does not wait for the connection of the first', async () => {
  const before = await committed(1)
  const others = Array.from({ length: 20 }, () => {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    const work = async (transaction: Transaction) => {
      await add(transaction, 1)
      transaction.afterCommit(() => db.transaction((next) => add(next, 1)).then(resolve, reject))
    }
    return db.transaction(work).then(() => promise)
  })
  await Promise.all(others)
  expect(await committed(1)).toBe(before + 40)
})
