import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import type { ConnectionOptions } from '../../src/platform/database/database.ts'

type Part = string | { int16: number } | { int32: number }

/** A message of the PostgreSQL protocol: type, length, body. */
function message(type: string, ...parts: Part[]): Buffer {
  const body = Buffer.concat(parts.map(bytesOf))
  return Buffer.concat([Buffer.from(type), bytesOf({ int32: body.length + 4 }), body])
}

function bytesOf(part: Part): Buffer {
  if (typeof part === 'string') return Buffer.from(part)
  const bytes = Buffer.alloc('int16' in part ? 2 : 4)
  if ('int16' in part) bytes.writeInt16BE(part.int16)
  else bytes.writeInt32BE(part.int32)
  return bytes
}

const READY = message('Z', 'I')
const GREETING = Buffer.concat([message('R', { int32: 0 }), READY])
const BOOLEAN = 16

/** The last words of a server that is shut down. */
export const DYING = message('E', 'SFATAL\0VFATAL\0C57P01\0Mterminating connection\0\0')

/** The answer to whether it is a standby. */
export function standbyAnswer(value: boolean): Buffer {
  const column: Part[] = [
    'is_standby\0',
    { int32: 0 },
    { int16: 0 },
    { int32: BOOLEAN },
    { int16: 1 },
    { int32: -1 },
  ]
  return Buffer.concat([
    message('T', { int16: 1 }, ...column, { int16: 0 }),
    message('D', { int16: 1 }, { int32: 1 }, value ? 't' : 'f'),
    message('C', 'SELECT 1\0'),
    READY,
  ])
}

/**
 * A server that lets every client in, what `then` makes of the connection, and nothing else: it does not even hang
 * up when the client does. Resolves to where it is.
 */
export async function startFakePostgres(then: (socket: Socket) => void): Promise<ConnectionOptions> {
  const sockets = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('data', () => {
      socket.write(GREETING)
      then(socket)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { host: '127.0.0.1', port, user: 'u', database: 'd', password: 'p' }
}
