import { randomBytes, randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { type Actor, isRevoked, operator, type Revocation, type UserActor } from '../../core/actor.ts'
import { insertTicket, purgeTickets, takeTicket } from './ticket-store.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database[Symbol.asyncDispose]())

const base = { kind: 'user', username: 'anna', role: 'user', scopes: ['read'], epoch: 0 } as const
const bySession: UserActor = { ...base, id: 1, sessionId: randomUUID() }

async function ticketOf(actor: Actor): Promise<Buffer> {
  const hash = randomBytes(32)
  await insertTicket(database.db, hash, actor)
  return hash
}
const take = (hash: Buffer) => takeTicket(database.db, hash)
const revoke = ({ userId, sessionId, tokenId, epoch }: Revocation) =>
  database.rows('INSERT INTO revocations (user_id, session_id, token_id, epoch) VALUES ($1, $2, $3, $4)', [
    userId,
    sessionId,
    tokenId,
    epoch,
  ])

/** A token in the database, valid for so many seconds. */
async function apiToken(seconds: number): Promise<number> {
  const [user] = await database.rows<{ id: number }>(
    "INSERT INTO users (username, username_key, password_hash) VALUES ($1, $1, '') RETURNING id",
    [randomUUID()],
  )
  const [token] = await database.rows<{ id: number }>(
    `INSERT INTO api_tokens (user_id, name, token_hash, scopes, expires_at)
      VALUES ($1, 'script', $2, '{read}', now() + make_interval(secs => $3)) RETURNING id`,
    [user!.id, randomBytes(32), seconds],
  )
  return token!.id
}

test('a ticket gives back, once, whom it was issued for', async () => {
  for (const actor of [bySession, { ...base, id: 2, tokenId: 7 }, operator]) {
    const hash = await ticketOf(actor)
    expect(await take(hash)).toEqual(actor)
    expect(await take(hash)).toBeUndefined()
  }
})

test('of 20 who bring one ticket at once, one gets in', async () => {
  const hash = await ticketOf(bySession)
  const taken = await Promise.all(Array.from({ length: 20 }, () => take(hash)))
  expect(taken.filter(Boolean)).toEqual([bySession])
})

test('a ticket is good for 30 s, and spent also when it comes too late', async () => {
  const hash = await ticketOf(bySession)
  const [row] = await database.rows<{ seconds: number }>(
    'SELECT extract(epoch FROM expires_at - clock_timestamp())::float8 AS seconds FROM tickets WHERE hash = $1',
    [hash],
  )
  expect(row!.seconds).toBeGreaterThan(25)
  expect(row!.seconds).toBeLessThanOrEqual(30)
  await database.rows('UPDATE tickets SET expires_at = clock_timestamp() WHERE hash = $1', [hash])
  expect(await take(hash)).toBeUndefined()
  expect(await database.rows('SELECT FROM tickets WHERE hash = $1', [hash])).toEqual([])
})

test('one that was never issued is nobody’s', async () => {
  expect(await take(randomBytes(32))).toBeUndefined()
  expect(await take(Buffer.alloc(0))).toBeUndefined()
})

test('a ticket does not outlive the API token it was made with', async () => {
  const [valid, expired] = [await apiToken(60), await apiToken(0)]
  const issued = await Promise.all([valid, expired].map((tokenId) => ticketOf({ ...base, id: 1, tokenId })))
  expect(await take(issued[0]!)).toMatchObject({ tokenId: valid })
  expect(await take(issued[1]!)).toBeUndefined()
})

test('a ticket is void exactly when its credential was revoked since', async () => {
  const sessions = [randomUUID(), randomUUID()]
  const user = fc.constantFrom(101, 102)
  const actor = fc
    .record({
      id: user,
      epoch: fc.nat({ max: 3 }),
      proof: fc.oneof(
        fc.constantFrom(...sessions).map((sessionId) => ({ sessionId })),
        fc.constantFrom(901, 902).map((tokenId) => ({ tokenId })),
      ),
    })
    .map(({ id, epoch, proof }): UserActor => ({ ...base, id, epoch, ...proof }))
  const none = { sessionId: null, tokenId: null, epoch: null }
  const revocation: fc.Arbitrary<Revocation> = fc
    .record({
      userId: user,
      what: fc.oneof(
        fc.constantFrom(...sessions).map((sessionId) => ({ ...none, sessionId })),
        fc.constantFrom(901, 902).map((tokenId) => ({ ...none, tokenId })),
        fc.nat({ max: 4 }).map((epoch) => ({ ...none, epoch })),
      ),
    })
    .map(({ userId, what }) => ({ userId, ...what }))
  await fc.assert(
    fc.asyncProperty(actor, fc.array(revocation, { maxLength: 4 }), async (bearer, revoked) => {
      await database.rows('DELETE FROM revocations')
      const hash = await ticketOf(bearer)
      for (const one of revoked) await revoke(one)
      const isVoid = revoked.some((one) => isRevoked(bearer, one))
      expect(await take(hash)).toEqual(isVoid ? undefined : bearer)
    }),
    { numRuns: 150 },
  )
})

test('expired tickets are purged, so many at a time; the others stay', async () => {
  await database.rows('DELETE FROM tickets')
  const [good] = [await ticketOf(bySession), await ticketOf(bySession), await ticketOf(bySession)]
  await database.rows("UPDATE tickets SET expires_at = now() - interval '1 s' WHERE hash <> $1", [good])
  expect(await purgeTickets(database.db, 1)).toBe(1)
  expect(await purgeTickets(database.db, 100)).toBe(1)
  expect(await purgeTickets(database.db, 100)).toBe(0)
  expect(await take(good!)).toEqual(bySession)
})
