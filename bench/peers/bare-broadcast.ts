/**
 * The peer of the fan-out's latency: answers a POST, then writes one frame to every socket. No
 * database, no events, no limits: what is left is the machine, Node, and the receivers.
 */
import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import type { Duplex } from 'node:stream'
import { textFrame } from '../../src/events/frame.ts'

const sockets = new Set<Duplex>()
const frame = textFrame(JSON.stringify({ filler: 'x'.repeat(290) }))

createServer((request, response) => {
  request.resume()
  request.on('end', () => {
    response.writeHead(request.method === 'POST' ? 201 : 200).end()
    if (request.method === 'POST') for (const socket of sockets) socket.write(frame)
  })
})
  .on('upgrade', ({ headers }, socket: Duplex) => {
    const accept = createHash('sha1').update(
      `${headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`,
    )
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: ${accept.digest('base64')}\r\n\r\n`,
    )
    sockets.add(socket.on('close', () => sockets.delete(socket)).on('error', () => {}))
  })
  .listen(Number(process.env.PORT), '127.0.0.1')
process.once('SIGTERM', () => process.exit(0))
