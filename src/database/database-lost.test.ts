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

/** A server that accepts every client, and what becomes of the connection then. */
async function fakeServer(then: (socket: Socket) => void, answerMs?: number): Promise<Database> {
  const sockets = new Set<Socket>()
  const server = createServer((socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('data', () => {
      socket.write(Buffer.concat([authenticated, ready]))
      then(socket)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const connection = { host: '127.0.0.1', port, user: 'u', database: 'd', password: 'p' }
  const db = openDatabase(connection, () => {}, answerMs)
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy()
    await db[Symbol.asyncDispose]()
    server.close()
  })
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

// An 'error' event of a client that nobody listens to would end the process.
test.each(uses)(
  'the server dies while it greets the connection of %s: 503, and the process lives',
  async (_name, use) => {
    const db = await fakeServer((socket) => socket.end(dying))
    for (let attempt = 0; attempt < 3; attempt++)
      await expect(use(db)).rejects.toMatchObject({ code: 'unavailable', status: 503 })
  },
)

// As after a failover, when the address of the old server swallows everything: TCP would wait for a quarter of an hour.
test.each(uses)(
  'a server that no longer answers %s is given up: 503, and the next one gets another connection',
  async (_name, use) => {
    let connections = 0
    const db = await fakeServer((socket) => {
      connections++
      socket.resume()
    }, 100)
    for (let attempt = 1; attempt <= 3; attempt++) {
      await expect(use(db)).rejects.toMatchObject({ code: 'unavailable', status: 503 })
      expect(connections).toBe(attempt)
    }
  },
)
