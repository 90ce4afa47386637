import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.ts'
import type { Role } from '../../core/actor.ts'
import { changeUser } from './user-service.ts'
import { findUser, findUserByName, hasAdmin, insertUser, listUsers, updateUser } from './user-store.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database[Symbol.asyncDispose]())
beforeEach(async () => {
  await database.rows('TRUNCATE users, revocations RESTART IDENTITY CASCADE')
})

const insert = (username: string, role: Role = 'user') =>
  insertUser(database.db, { username, passwordHash: 'a hash', role })
const made = async (role: Role = 'user') => (await insert(`user-${randomUUID()}`, role))!
const revocations = () =>
  database.rows<object>('SELECT user_id, epoch, session_id, token_id FROM revocations ORDER BY id')

test('a user as clients see them has neither hash nor epoch; authentication finds both', async () => {
  const user = (await insert('Jose\u0301'))!
  expect(user).toEqual({
    id: 1,
    username: 'José',
    role: 'user',
    disabled: false,
    created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/),
  })
  const record = { ...user, password_hash: 'a hash', token_epoch: 0 }
  expect(await findUser(database.db, user.id)).toEqual(record)
  for (const name of ['José', 'JOSÉ', 'jose\u0301'])
    expect(await findUserByName(database.db, name)).toEqual(record)
  expect(await findUserByName(database.db, 'jose')).toBeUndefined()
  expect(await findUser(database.db, user.id + 1)).toBeUndefined()
})

test('of 50 who take one name at once, one gets it', async () => {
  const names = Array.from({ length: 50 }, (_, i) => ['straße', 'STRASSE', 'Straße'][i % 3]!)
  const users = await Promise.all(names.map((name) => insert(name)))
  expect(users.filter((user) => user !== undefined)).toHaveLength(1)
  expect(await listUsers(database.db, { skip: 0, limit: 10 })).toMatchObject({ total: 1 })
})

test('pages are in the order of ids, and tell the total, also beyond the end', async () => {
  for (let i = 0; i < 5; i++) await made()
  const page = async (skip: number, limit: number) => {
    const { users, total } = await listUsers(database.db, { skip, limit })
    return { ids: users.map(({ id }) => id), total }
  }
  expect(await page(0, 2)).toEqual({ ids: [1, 2], total: 5 })
  expect(await page(3, 9)).toEqual({ ids: [4, 5], total: 5 })
  expect(await page(9, 9)).toEqual({ ids: [], total: 5 })
})

test('each change begins an epoch and is told to every process; what changes nothing is not', async () => {
  const { id } = await made()
  const changes = [{ role: 'admin' }, { disabled: true }, { passwordHash: 'another' }] as const
  for (const [i, change] of changes.entries()) {
    const outcome = await updateUser(database.db, id, change)
    expect(outcome).toMatchObject({ changed: true })
    expect(await findUser(database.db, id)).toMatchObject({ token_epoch: i + 1 })
    expect((await updateUser(database.db, id, change))!.changed).toBe(false)
  }
  expect((await updateUser(database.db, id, {}))!.changed).toBe(false)
  expect(await findUser(database.db, id)).toMatchObject({ token_epoch: 3, password_hash: 'another' })
  const told = { user_id: id, session_id: null, token_id: null }
  expect(await revocations()).toEqual([1, 2, 3].map((epoch) => ({ ...told, epoch })))
  expect(await updateUser(database.db, id + 1, { role: 'user' })).toBeUndefined()
})

test('20 changes at once are 20 epochs, and none is lost', async () => {
  const { id } = await made()
  await Promise.all(
    Array.from({ length: 20 }, (_, i) => updateUser(database.db, id, { passwordHash: `${i}` })),
  )
  expect(await findUser(database.db, id)).toMatchObject({ token_epoch: 20 })
  expect(await revocations()).toHaveLength(20)
})

test('an admin who is disabled is none', async () => {
  expect(await hasAdmin(database.db)).toBe(false)
  const { id } = await made('admin')
  expect(await hasAdmin(database.db)).toBe(true)
  await updateUser(database.db, id, { disabled: true })
  expect(await hasAdmin(database.db)).toBe(false)
})

test('whatever is done to the admins at once, one is left', async () => {
  const admins = 3
  const change = fc.record({
    id: fc.integer({ min: 1, max: admins }),
    change: fc.constantFrom({ role: 'user' } as const, { disabled: true }, { role: 'admin' } as const, {
      disabled: false,
    }),
  })
  const property = fc.asyncProperty(fc.array(change, { minLength: 3, maxLength: 12 }), async (changes) => {
    await database.rows('TRUNCATE users, revocations RESTART IDENTITY CASCADE')
    for (let i = 0; i < admins; i++) await made('admin')
    const outcomes = await Promise.allSettled(
      changes.map(({ id, change }) => changeUser(database.db, id, change)),
    )
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'conflict' })
    }
    expect(await hasAdmin(database.db)).toBe(true)
  })
  await fc.assert(property, { numRuns: 60 })
  // Nor do they deadlock, which would be tried again, but takes a second each time.
  const [found] = await database.rows<{ deadlocks: number }>(
    'SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()',
  )
  expect(found).toEqual({ deadlocks: 0 })
})
