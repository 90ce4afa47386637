import type { Socket } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { DYING, standbyAnswer, startFakePostgres } from '../../../test/support/fake-postgres.ts'
import { type Database, openDatabase } from './database.ts'

async function fakeDatabase(then: (socket: Socket) => void, answerMs?: number): Promise<Database> {
  const db = openDatabase(await startFakePostgres(then), () => {}, { answerMs })
  onTestFinished(() => db[Symbol.asyncDispose]())
  return db
}

async function queryInSession(db: Database) {
  await using session = await db.session()
  return await session.query({ text: 'SELECT 1' })
}

const uses: [string, (db: Database) => Promise<unknown>][] = [
  ['a statement', (db) => db.query({ text: 'SELECT 1' })],
  ['a transaction', (db) => db.transaction((t) => t.query({ text: 'SELECT 1' }))],
  ['a session', queryInSession],
]
const isAway = { code: 'unavailable', status: 503 }

// An 'error' event of a client that nobody listens to would end the process.
test.each(uses)(
  'the server dies while it greets the connection of %s: 503, and the process lives',
  async (_name, use) => {
    const db = await fakeDatabase((socket) => socket.end(DYING))
    for (let attempt = 0; attempt < 3; attempt++) await expect(use(db)).rejects.toMatchObject(isAway)
  },
)

// This is the state after a failover: the old server's address drops every packet, and TCP would wait for 15 minutes.
describe.each([
  ['no longer answers', (socket: Socket) => socket.once('data', () => socket.write(standbyAnswer(false)))],
  ['has never answered', () => {}],
])('a server that %s', (_name, answer) => {
  test.each(uses)('%s is given up: 503, and the next one gets another connection', async (_name, use) => {
    let connections = 0
    const db = await fakeDatabase((socket) => {
      connections++
      answer(socket)
      socket.resume()
    }, 100)
    for (let attempt = 1; attempt <= 3; attempt++) {
      await expect(use(db)).rejects.toMatchObject(isAway)
      expect(connections).toBe(attempt)
    }
  })
})

// A former primary is a standby for a while after a failover.
test.each(uses)('a standby is as good as away for %s', async (_name, use) => {
  let asked = 0
  const db = await fakeDatabase((socket) => {
    socket.on('data', (bytes) => {
      if (!String(bytes).includes('pg_is_in_recovery')) return
      asked++
      socket.write(standbyAnswer(true))
    })
  })
  for (let attempt = 1; attempt <= 3; attempt++) {
    await expect(use(db)).rejects.toMatchObject({ ...isAway, cause: { message: 'this is a standby' } })
    expect(asked).toBe(attempt)
  }
})
