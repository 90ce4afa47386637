import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { insertRemoteRate, purgeRateMessages } from './remote-rate.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database[Symbol.asyncDispose]())

const take = (code: string, rate: string, key?: string) =>
  insertRemoteRate(database.db, { code, rate, timestamp: null }, key)
const count = async (what: string) =>
  (await database.rows<{ n: number }>(`SELECT count(*) AS n FROM ${what}`))[0]!.n

test('a message that comes again is known, also when both come at once', async () => {
  const taken = await Promise.all(Array.from({ length: 10 }, () => take('USD', '1', 'stream 1')))
  expect(taken.filter(Boolean)).toHaveLength(1)
  expect(await take('USD', '1', 'stream 1')).toBe(false)
  expect([await count('events'), await count('currency_rates')]).toEqual([1, 1])
})

test('without a key each is taken, and of those that come at once none is lost', async () => {
  const before = await count('events')
  await Promise.all(Array.from({ length: 20 }, (_, i) => take('EUR', String(i + 1))))
  expect(await count('events')).toBe(before + 20)
  const [row] = await database.rows<{ version: number }>(`SELECT version FROM currencies WHERE code = 'EUR'`)
  expect(row!.version).toBe(20)
})

test('one that cannot be stored leaves no trace, so that it can come again', async () => {
  await expect(take('USD', 'NaN', 'stream 2')).rejects.toThrow()
  expect(await take('USD', '2', 'stream 2')).toBe(true)
})

test('keys go when no stream has their messages any more', async () => {
  await database.rows(`UPDATE nats_inbox SET at = now() - interval '9 days' WHERE message = 'stream 1'`)
  expect(await purgeRateMessages(database.db, 100)).toBe(1)
  expect(await count('nats_inbox')).toBe(1)
})
