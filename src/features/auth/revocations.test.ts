import { randomBytes, randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { rawClient } from '../../../test/support/event-harness.ts'
import { eventually } from '../../../test/support/eventually.ts'
import { logTo } from '../../../test/support/log.ts'
import { anonymous, operator, type Revocation, type UserActor } from '../../core/actor.ts'
import type { Database } from '../../platform/database/database.ts'
import { purgeRevocations, watchRevocations } from './revocations.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterEach(() => vi.useRealTimers())
afterAll(() => database[Symbol.asyncDispose]())

/** Starts a watcher, like the one of each process, and records its calls. */
async function watch(db: Database = database.db) {
  const heard: Revocation[] = []
  const lines: Record<string, unknown>[] = []
  const revocations = await watchRevocations(db, logTo(lines), (one) => void heard.push(one))
  onTestFinished(() => revocations[Symbol.asyncDispose]())
  return { revocations, heard, lines }
}

const INSERT = 'INSERT INTO revocations (user_id, epoch) VALUES ($1, $2)'
const revokeEpoch = (userId: number, epoch: number) => database.rows(INSERT, [userId, epoch])
const epochOf = (userId: number, epoch: number): Revocation => ({
  userId,
  epoch,
  sessionId: null,
  tokenId: null,
})
const userOf = (id: number, epoch: number): UserActor => ({
  kind: 'user',
  id,
  epoch,
  username: 'anna',
  role: 'user',
  scopes: ['read'],
  sessionId: randomUUID(),
})

/** A user with an API token that expires in so many seconds. */
async function apiToken(seconds: number): Promise<{ id: number; userId: number }> {
  const [user] = await database.rows<{ id: number }>(
    "INSERT INTO users (username, username_key, password_hash) VALUES ($1, $1, '') RETURNING id",
    [randomUUID()],
  )
  const [token] = await database.rows<{ id: number }>(
    `INSERT INTO api_tokens (user_id, name, token_hash, scopes, expires_at)
      VALUES ($1, 'script', $2, '{read}', clock_timestamp() + make_interval(secs => $3)) RETURNING id`,
    [user!.id, randomBytes(32), seconds],
  )
  return { id: token!.id, userId: user!.id }
}

test('what was revoked before is not news', async () => {
  await revokeEpoch(1, 1)
  const { id } = await apiToken(-1)
  const { revocations, heard } = await watch()
  await revocations.check()
  expect(heard).toEqual([])
  expect(id).toBeGreaterThan(0)
})

test('who ends a session has heard of it when that resolves, every other within 2 s', async () => {
  const [one, other] = [await watch(), await watch()]
  const sessionId = randomUUID()
  const began = performance.now()
  await one.revocations.revokeSession(1, sessionId)
  const expected = [{ userId: 1, sessionId, tokenId: null, epoch: null }]
  expect(one.heard).toEqual(expected)
  await eventually(() => other.heard.length > 0, 'the other hears of it')
  expect(performance.now() - began).toBeLessThan(2000)
  expect(other.heard).toEqual(expected)
})

test('each is heard once by everybody, whatever the order of writing and looking', async () => {
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.record({ write: fc.integer({ min: 1, max: 3 }) }) },
    { weight: 2, arbitrary: fc.record({ looks: fc.constantFrom(0, 1) }) },
  )
  const watchers = [await watch(), await watch()]
  let epoch = 0
  const property = fc.asyncProperty(
    fc.array(step, { minLength: 1, maxLength: 12 }),
    fc.boolean(),
    async (steps, atOnce) => {
      const written: Revocation[] = []
      for (const { heard } of watchers) heard.length = 0
      const take = async (one: (typeof steps)[number]) => {
        if ('looks' in one) return watchers[one.looks]!.revocations.check()
        for (let count = 0; count < one.write; count++) {
          written.push(epochOf(7, ++epoch))
          await revokeEpoch(7, written.at(-1)!.epoch!)
        }
      }
      if (atOnce) await Promise.all(steps.map(take))
      else for (const one of steps) await take(one)
      for (const { revocations, heard } of watchers) {
        await revocations.check()
        const byEpoch = (a: Revocation, b: Revocation) => a.epoch! - b.epoch!
        expect(heard.toSorted(byEpoch)).toEqual(written.toSorted(byEpoch))
      }
    },
  )
  await fc.assert(property, { numRuns: 40 })
})

test('one that is committed after later ones were seen is not missed', async () => {
  const { revocations, heard } = await watch()
  await using slow = await rawClient(database.url)
  await slow.query('BEGIN')
  await slow.query(INSERT, [20, 1])
  await revokeEpoch(21, 1)
  await revocations.check()
  await revocations.check()
  expect(heard).toEqual([epochOf(21, 1)])
  await slow.query('COMMIT')
  await revocations.check()
  expect(heard).toEqual([epochOf(21, 1), epochOf(20, 1)])
})

test('an API token that expires is revoked by the clock, once, and the others are not', async () => {
  const { revocations, heard } = await watch()
  const soon = await apiToken(0.3)
  await apiToken(3600)
  await revocations.check()
  expect(heard).toEqual([])
  await eventually(() => heard.length > 0, 'it expires', 3000)
  await revocations.check()
  expect(heard).toEqual([{ userId: soon.userId, tokenId: soon.id, sessionId: null, epoch: null }])
})

test('what is revoked after a mark is known for a minute, to its own user only', async () => {
  vi.useFakeTimers({ toFake: ['Date'] })
  const { revocations } = await watch()
  const [before, theirs] = [userOf(30, 0), userOf(31, 0)]
  const mark = revocations.mark()
  expect(revocations.revokedSince(mark, before)).toBe(false)
  await revokeEpoch(30, 1)
  await revocations.check()
  expect(revocations.revokedSince(mark, before)).toBe(true)
  expect(revocations.revokedSince(mark, userOf(30, 1))).toBe(false)
  for (const actor of [theirs, anonymous, operator]) expect(revocations.revokedSince(mark, actor)).toBe(false)
  expect(revocations.revokedSince(revocations.mark(), before)).toBe(false)
  vi.advanceTimersByTime(59_000)
  await revocations.check()
  expect(revocations.revokedSince(mark, before)).toBe(true)
  vi.advanceTimersByTime(2_000)
  await revocations.check()
  expect(revocations.revokedSince(mark, before)).toBe(false)
})

test('while the database does not answer nothing is lost, and nothing above debug is logged', async () => {
  let isDown = false
  const query: Database['query'] = (statement) =>
    isDown ? Promise.reject(new Error('the database is away')) : database.db.query(statement)
  const { revocations, heard, lines } = await watch({ ...database.db, query })
  isDown = true
  await revokeEpoch(40, 1)
  await revocations.check()
  await revocations.check()
  expect(heard).toEqual([])
  expect(lines.map(({ level, msg }) => [level, msg])).toEqual([
    [20, 'revocations wait for the database: the database is away'],
  ])
  isDown = false
  await revocations.check()
  expect(heard).toEqual([epochOf(40, 1)])
})

test('each look begins where the last one that went well did, so that it stays short', async () => {
  const begun: string[] = []
  const query: Database['query'] = (statement) => {
    if (statement.name === 'revocations-since') begun.push(String(statement.values![0]))
    return database.db.query(statement)
  }
  const { revocations } = await watch({ ...database.db, query })
  await revocations.check()
  await revocations.check()
  // The first two are of the start, and of what came while it started.
  const looks = begun.slice(1)
  expect(looks.length).toBeGreaterThan(1)
  expect(looks).toEqual([...new Set(looks)].toSorted())
})

test('after its end it hears nothing', async () => {
  const { revocations, heard } = await watch()
  await revocations[Symbol.asyncDispose]()
  await revokeEpoch(50, 1)
  await revocations.check()
  expect(heard).toEqual([])
})

test('those are purged that no access token can outlive, so many at a time', async () => {
  await database.rows('DELETE FROM revocations')
  for (let epoch = 1; epoch <= 3; epoch++) await revokeEpoch(60, epoch)
  await database.rows("UPDATE revocations SET at = now() - interval '49 h' WHERE epoch < 3")
  // The longest that an access token can live.
  await database.rows("UPDATE revocations SET at = now() - interval '1 day' WHERE epoch = 3")
  expect(await purgeRevocations(database.db, 1)).toBe(1)
  expect(await purgeRevocations(database.db, 100)).toBe(1)
  expect(await purgeRevocations(database.db, 100)).toBe(0)
  expect(await database.rows('SELECT epoch FROM revocations')).toEqual([{ epoch: 3 }])
})
