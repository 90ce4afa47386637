import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts'
import { insertEvent, rawClient } from '../../test/support/event-harness.ts'
import { CommitBarrier } from './commit-barrier.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database[Symbol.asyncDispose]())

test('without writers everything is settled at once, and stays so', async () => {
  const fence = new CommitBarrier(database.db)
  expect(fence.bound).toBe(0)
  expect(await fence.settled(10)).toBe(true)
  expect(fence.bound).toBe(10)
  expect(await fence.settled(7)).toBe(true)
  expect(fence.bound).toBe(10)
})

test.each(['COMMIT', 'ROLLBACK'])('an open writer holds the fence until its %s', async (end) => {
  await using writer = await rawClient(database.url)
  const fence = new CommitBarrier(database.db)
  await writer.query('BEGIN')
  const id = await insertEvent(writer)
  expect(await fence.settled(id)).toBe(false)
  expect(await fence.settled(id)).toBe(false)
  expect(fence.bound).toBe(0)
  await writer.query(end)
  expect(await fence.settled(id)).toBe(true)
  expect(fence.bound).toBe(id)
})

test('writers that come later do not hold what was asked before', async () => {
  await using first = await rawClient(database.url)
  await using second = await rawClient(database.url)
  const fence = new CommitBarrier(database.db)
  await first.query('BEGIN')
  const id = await insertEvent(first)
  expect(await fence.settled(id)).toBe(false)
  await second.query('BEGIN')
  const later = await insertEvent(second)
  await first.query('ROLLBACK')
  expect(await fence.settled(id)).toBe(true)
  // The result for the earlier id does not hold for the later one.
  expect(await fence.settled(later)).toBe(false)
  expect(fence.bound).toBe(id)
  await second.query('COMMIT')
  expect(await fence.settled(later)).toBe(true)
})

test('a larger bound asked while a smaller is pending is not taken as answered by it', async () => {
  await using first = await rawClient(database.url)
  await using second = await rawClient(database.url)
  const fence = new CommitBarrier(database.db)
  await first.query('BEGIN')
  const small = await insertEvent(first)
  expect(await fence.settled(small)).toBe(false)
  await second.query('BEGIN')
  const large = await insertEvent(second)
  await first.query('COMMIT')
  expect(await fence.settled(large)).toBe(false)
  expect(fence.bound).toBeLessThan(large)
  await second.query('ROLLBACK')
  expect(await fence.settled(large)).toBe(true)
})

test('an id taken in a savepoint that was rolled back is dead, one taken again after it is not', async () => {
  await using writer = await rawClient(database.url)
  const fence = new CommitBarrier(database.db)
  await writer.query('BEGIN; SAVEPOINT s')
  const dead = await insertEvent(writer)
  expect(await fence.settled(dead)).toBe(false)
  await writer.query('ROLLBACK TO s')
  const alive = await insertEvent(writer)
  expect(await fence.settled(alive)).toBe(false)
  await writer.query('COMMIT')
  await fence.settled(dead) // It may have counted the writer for the earlier id until now.
  expect(await fence.settled(alive)).toBe(true)
})

test('long transactions that write no events, or elsewhere, do not hold it', async () => {
  await using reader = await rawClient(database.url)
  await using other = await rawClient(database.url)
  // A clone of the same template: there `events` has the same oid.
  await using clone = await createTestDatabase()
  await using elsewhere = await rawClient(clone.url)
  await reader.query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM events')
  await other.query(`BEGIN; INSERT INTO tasks (title) VALUES ('held')`)
  await elsewhere.query('BEGIN')
  await insertEvent(elsewhere)
  const fence = new CommitBarrier(database.db)
  expect(await fence.settled(1_000_000)).toBe(true)
  await elsewhere.query('ROLLBACK')
})
