import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import pg from 'pg'
import { expect, inject, onTestFinished, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts'
import { withDatabase } from '../../test/support/database-url.ts'
import { eventually } from '../../test/support/eventually.ts'
import { type Database, openDatabase } from './database.ts'

const isAway = { code: 'unavailable', status: 503 }
const INSERT = { name: 'insert-task', text: "INSERT INTO tasks (title) VALUES ('x')" }

async function newDatabase(): Promise<TestDatabase> {
  const database = await createTestDatabase()
  onTestFinished(() => database[Symbol.asyncDispose]())
  return database
}

/** Statements past the database that is tested. */
async function admin(
  database: TestDatabase,
): Promise<(text: (name: string) => string) => Promise<pg.QueryResult>> {
  const client = new pg.Client({ connectionString: withDatabase(inject('adminUrl'), 'postgres') })
  await client.connect()
  onTestFinished(() => client.end())
  const name = new URL(database.url).pathname.slice(1)
  return (text) => client.query(text(pg.escapeIdentifier(name)))
}

const uses: [string, (db: Database) => Promise<unknown>][] = [
  ['a statement', (db) => db.query(INSERT)],
  ['a transaction', (db) => db.transaction((transaction) => transaction.query(INSERT))],
  [
    'a session',
    async (db) => {
      await using session = await db.session()
      return await session.query(INSERT)
    },
  ],
]

// Nothing of PostgreSQL's says so: while a database is renamed, restored or closed, its codes are those of mistakes.
test.each(uses)('a database that lets nobody in is away for %s, and then is not', async (_, use) => {
  const database = await newDatabase()
  const run = await admin(database)
  await run((name) => `ALTER DATABASE ${name} ALLOW_CONNECTIONS false`)
  await expect(use(database.db)).rejects.toMatchObject(isAway)
  await run((name) => `ALTER DATABASE ${name} ALLOW_CONNECTIONS true`)
  await use(database.db)
})

test.each(uses)('a connection that takes no writes is given up by %s', async (_, use) => {
  const database = await newDatabase()
  const run = await admin(database)
  await run((name) => `ALTER DATABASE ${name} SET default_transaction_read_only = on`)
  await expect(use(database.db)).rejects.toMatchObject(isAway)
  await run((name) => `ALTER DATABASE ${name} RESET default_transaction_read_only`)
  await use(database.db)
})

/** A message of the PostgreSQL protocol: type, length, body. */
function message(type: string, ...parts: (string | number | [number])[]): Buffer {
  const body = Buffer.concat(
    parts.map((part) => {
      if (typeof part === 'string') return Buffer.from(part)
      const bytes = Buffer.alloc(typeof part === 'number' ? 2 : 4)
      if (typeof part === 'number') bytes.writeInt16BE(part)
      else bytes.writeInt32BE(part[0])
      return bytes
    }),
  )
  const length = Buffer.alloc(4)
  length.writeInt32BE(body.length + 4)
  return Buffer.concat([Buffer.from(type), length, body])
}
const BOOLEAN = 16

/** A server that says it is a standby, as the one that was the primary does for a while after a failover. */
async function standby(): Promise<{ port: number; asked: string[] }> {
  const asked: string[] = []
  const ready = message('Z', 'I')
  const answer = Buffer.concat([
    message('T', 1, 'is_standby\0', [0], 0, [BOOLEAN], 1, [-1], 0),
    message('D', 1, [1], 't'),
    message('C', 'SELECT 1\0'),
    ready,
  ])
  const server = createServer((socket: Socket) => {
    socket.on('error', () => {})
    socket.once('data', () => {
      socket.write(Buffer.concat([message('R', [0]), ready]))
      socket.on('data', (bytes) => {
        if (bytes.toString('latin1', 0, 1) !== 'Q') return
        asked.push(bytes.toString('utf8', 5).replace('\0', ''))
        socket.write(answer)
      })
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  return { port: (server.address() as AddressInfo).port, asked }
}

test.each(uses)('a standby is as good as away for %s', async (_, use) => {
  const { port, asked } = await standby()
  const db = openDatabase({ host: '127.0.0.1', port, user: 'u', database: 'd', password: 'p' }, () => {})
  onTestFinished(() => db[Symbol.asyncDispose]())
  for (const attempt of [1, 2]) {
    await expect(use(db)).rejects.toMatchObject({ ...isAway, cause: { message: 'this is a standby' } })
    expect(asked).toHaveLength(attempt)
  }
})

test('statements that wait for one to be prepared survive its end', async () => {
  const database = await newDatabase()
  const { db } = database
  const run = await admin(database)
  const read = () => db.query({ name: 'tasks-read', text: 'SELECT count(*) FROM tasks', read: 'quick' })
  let reads: Promise<PromiseSettledResult<unknown>[]> | undefined
  await db.transaction(async (transaction) => {
    await transaction.query({ text: 'LOCK TABLE tasks' })
    reads = Promise.allSettled(Array.from({ length: 6 }, read))
    const waiting = `SELECT pg_cancel_backend(pid) FROM pg_stat_activity
      WHERE wait_event_type = 'Lock' AND datname = '${new URL(database.url).pathname.slice(1)}'`
    await eventually(async () => (await run(() => waiting)).rowCount, 'the first of them is cancelled')
  })
  const states = (await reads!).map(({ status }) => status)
  expect(states.toSorted()).toEqual([...Array(5).fill('fulfilled'), 'rejected'])
})
