import { afterEach, beforeEach, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts'
import { eventually } from '../../test/support/eventually.ts'
import { createSignal, type Signal } from './signal.ts'

let database: TestDatabase
let one: Signal
let other: Signal
const heard = { one: 0, other: 0 }

beforeEach(async () => {
  database = await createTestDatabase()
  heard.one = 0
  heard.other = 0
  one = createSignal(database.db, () => void heard.one++)
  other = createSignal(database.db, () => void heard.other++)
  // Each looks once when it begins to listen: it may have missed something before.
  await eventually(() => heard.one === 1 && heard.other === 1, 'both listen')
})
afterEach(async () => {
  await one[Symbol.asyncDispose]()
  await other[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})

test('the other process hears of it, the sender does not', async () => {
  one.send()
  await eventually(() => heard.other === 2, 'the other hears')
  other.send()
  await eventually(() => heard.one === 2, 'and the other way round')
  expect(heard).toEqual({ one: 2, other: 2 })
})

test('what is sent at once is heard once', async () => {
  for (let i = 0; i < 1000; i++) one.send()
  await eventually(() => heard.other > 1, 'the other hears')
  other.send()
  await eventually(() => heard.one === 2, 'a later signal, which comes behind')
  expect(heard.other).toBe(2)
})

test('it can be ended before it has begun to listen', async () => {
  for (let i = 0; i < 20; i++) {
    const short = createSignal(database.db, () => {})
    if (i % 2 === 0) await new Promise((resolve) => setTimeout(resolve, i / 4))
    await short[Symbol.asyncDispose]()
  }
})

test('a lost connection comes back, and what may have been missed is looked for', async () => {
  await database.rows(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'taskwire events'`)
  await eventually(() => heard.one === 2 && heard.other === 2, 'both listen again')
  one.send()
  await eventually(() => heard.other === 3, 'the other hears')
})
