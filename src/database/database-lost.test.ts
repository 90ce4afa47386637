import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { type Database, openDatabase } from './database.ts'

/** A message of the PostgreSQL protocol: type, length, body. */
function message(type: string, body: Buffer): Buffer {
  const length = Buffer.alloc(4)
  length.writeInt32BE(body.length + 4)
  return Buffer.concat([Buffer.from(type), length, body])
}

const authenticated = message('R', Buffer.alloc(4))
const ready = message('Z', Buffer.from('I'))
const dying = message('E', Buffer.from('SFATAL\0VFATAL\0C57P01\0Mterminating connection\0\0'))

/** A server that accepts every client and is killed in the same moment. */
async function dyingServer(): Promise<Database> {
  const server = createServer((socket: Socket) => {
    socket.on('error', () => {})
    socket.once('data', () => socket.end(Buffer.concat([authenticated, ready, dying])))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const db = openDatabase({ host: '127.0.0.1', port, user: 'u', database: 'd', password: 'p' }, () => {})
  onTestFinished(async () => {
    await db[Symbol.asyncDispose]()
    server.close()
  })
  return db
}

async function queryInSession(db: Database) {
  await using session = await db.session()
  return await session.query({ text: 'SELECT 1' })
}

// An 'error' event of a client that nobody listens to would end the process.
test.each([
  ['a statement', (db: Database) => db.query({ text: 'SELECT 1' })],
  ['a transaction', (db: Database) => db.transaction((t) => t.query({ text: 'SELECT 1' }))],
  ['a session', queryInSession],
])('the server dies while it greets the connection of %s: 503, and the process lives', async (_name, use) => {
  const db = await dyingServer()
  for (let attempt = 0; attempt < 3; attempt++)
    await expect(use(db)).rejects.toMatchObject({ code: 'unavailable', status: 503 })
})
