import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { frameReader } from '../../test/support/event-harness.ts'
import { eventually } from '../../test/support/eventually.ts'
import { type Actor, operator } from '../core/actor.ts'
import { textFrame } from './frame.ts'
import { type SocketLimits, Sockets } from './sockets.ts'
import type { Sink, Subscription } from './stream.ts'

/** A stream that delivers the events that the test gives it. */
class FakeStream {
  readonly sinks = new Set<Sink>()
  closed = 0

  subscribe(): Subscription {
    let own: Sink | undefined
    return {
      open: (sink) => {
        own = sink
        this.sinks.add(sink)
      },
      narrow: () => {},
      close: () => {
        if (own && this.sinks.delete(own)) this.closed++
      },
    }
  }

  tell(text: string): void {
    const frame = textFrame(text)
    for (const sink of this.sinks) sink(frame)
  }
}

let server: Server
let wss: WebSocketServer
let sockets: Sockets
let stream: FakeStream
const ends: (() => void)[] = []
const port = () => (server.address() as AddressInfo).port

function serve(limits: SocketLimits, actor: Actor = operator): void {
  sockets = new Sockets(limits)
  wss.on('connection', (socket, request) =>
    sockets.add(socket, request.socket).admit(actor, stream.subscribe()),
  )
}

beforeEach(async () => {
  stream = new FakeStream()
  server = createServer()
  wss = new WebSocketServer({ server, perMessageDeflate: false, maxPayload: 64 * 1024 })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
})
afterEach(async () => {
  for (const end of ends.splice(0)) end()
  await sockets[Symbol.asyncDispose]()
  server.close()
})

async function client(): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port()}`, { perMessageDeflate: false })
  ends.push(() => socket.terminate())
  await once(socket, 'open')
  return socket
}

/** A client that does only what the test does: it answers no ping and no close. */
async function rawSocket(): Promise<Socket> {
  const socket = connect(port(), '127.0.0.1')
  ends.push(() => socket.destroy())
  socket.on('error', () => {})
  socket.write(
    'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  )
  const [head] = (await once(socket, 'data')) as [Buffer]
  expect(head.toString()).toMatch(/^HTTP\/1.1 101 /)
  return socket
}

test('a client that answers pings lives beyond the deadline, one that does not is cut', async () => {
  serve({ pingMs: 20, deadMs: 150, sweepMs: 5 })
  const alive = await client()
  let pings = 0
  alive.on('ping', () => pings++)
  const dead = await rawSocket()
  dead.resume()
  expect(sockets.size).toBe(2)
  await once(dead, 'close')
  const seen = pings
  await eventually(() => pings >= seen + 15, 'fifteen pings more, beyond the deadline')
  expect(alive.readyState).toBe(WebSocket.OPEN)
  expect(sockets.size).toBe(1)
  expect(stream.closed).toBe(1)
})

test('a clock that is set cuts nobody off, and holds up no ping', async () => {
  serve({ pingMs: 20, deadMs: 30_000, sweepMs: 5 })
  const socket = await client()
  let pings = 0
  socket.on('ping', () => pings++)
  const now = Date.now
  ends.push(() => vi.restoreAllMocks())
  for (const shift of [3_600_000, -3_600_000]) {
    vi.spyOn(Date, 'now').mockImplementation(() => now() + shift)
    const seen = pings
    await eventually(() => pings >= seen + 5, 'pings come as before')
    expect(socket.readyState).toBe(WebSocket.OPEN)
  }
})

test('a client that sends messages but answers no ping is not dead', async () => {
  serve({ pingMs: 10_000, deadMs: 100, sweepMs: 5 })
  const talker = await client()
  const silent = await client()
  const timer = setInterval(() => talker.send('hello'), 10)
  ends.push(() => clearInterval(timer))
  await once(silent, 'close')
  expect(talker.readyState).toBe(WebSocket.OPEN)
})

test('a slow consumer is closed with 4413 behind whole frames, while others get everything', async () => {
  serve({ maxUnsentBytes: 256 * 1024 })
  const fast = await client()
  let received = 0
  fast.on('message', () => received++)
  const slow = await rawSocket()
  slow.pause()
  let sent = 0
  await eventually(() => {
    stream.tell(`${sent++} ${'x'.repeat(64 * 1024)}`)
    return stream.closed === 1
  }, 'the slow one is given up')
  for (let i = 0; i < 5; i++) stream.tell(`${sent++}`)
  await eventually(() => received === sent, 'the fast one has everything')
  expect(fast.readyState).toBe(WebSocket.OPEN)

  const texts: string[] = []
  let code = 0
  const read = frameReader(
    (text) => texts.push(text.split(' ', 1)[0]!),
    (given) => {
      code = given
    },
  )
  slow.on('data', read)
  slow.resume()
  await eventually(() => code !== 0, 'the close frame')
  expect(code).toBe(4413)
  // A run from the first one, without a hole: it resumes from the last it got.
  expect(texts).toEqual(texts.map((_, i) => String(i)))
  expect(texts.length).toBeGreaterThan(0)
})

test('a slow consumer that never reads again is cut at the deadline', async () => {
  serve({ maxUnsentBytes: 1000, pingMs: 20, deadMs: 1_000, sweepMs: 5 })
  const slow = await rawSocket()
  slow.pause()
  await eventually(() => {
    stream.tell('x'.repeat(1024 * 1024))
    return stream.closed === 1
  }, 'the slow one is given up')
  expect(sockets.size).toBe(1) // Closing, but its connection stands.
  await eventually(() => wss.clients.size === 0, 'its connection is gone', 3_000)
  expect(sockets.size).toBe(0)
})

test('a slow consumer that was given up does not outlive the shutdown', async () => {
  serve({ maxUnsentBytes: 1000 })
  const slow = await rawSocket()
  slow.pause()
  await eventually(() => {
    stream.tell('x'.repeat(1024 * 1024))
    return stream.closed === 1
  }, 'the slow one is given up')
  await sockets.close(50)
  await eventually(() => wss.clients.size === 0, 'its connection is gone', 2_000)
})

test('whose credential is revoked leaves the stream at once, whether or not they answer the close', async () => {
  serve({}, { kind: 'user', id: 1, username: 'eve', role: 'user', scopes: ['read'], epoch: 0 })
  const stubborn = await rawSocket()
  stubborn.resume()
  await eventually(() => stream.sinks.size === 1, 'it is admitted')
  sockets.revoke({ userId: 1, epoch: 1 })
  expect(stream.closed).toBe(1)
})

test('one event larger than the limit reaches a reader that is up to date', async () => {
  serve({ maxUnsentBytes: 1000 })
  const reader = await client()
  const message = once(reader, 'message')
  stream.tell('x'.repeat(100_000))
  const [data] = (await message) as [Buffer]
  expect(data.length).toBe(100_000)
  expect(stream.closed).toBe(0)
})

test('a message over 64 KiB closes with 1009 and forgets the client, one of 64 KiB does not', async () => {
  serve({})
  const polite = await client()
  const rude = await client()
  polite.send('x'.repeat(64 * 1024))
  rude.send('x'.repeat(64 * 1024 + 1))
  const [code] = await once(rude, 'close')
  expect(code).toBe(1009)
  await eventually(() => sockets.size === 1, 'it is forgotten')
  expect(polite.readyState).toBe(WebSocket.OPEN)
})

test('close says 1001 and does not wait for the grace when all answer', async () => {
  serve({})
  const all = await Promise.all([client(), client(), client()])
  const codes = all.map(async (socket) => (await once(socket, 'close'))[0])
  const late = Symbol('late')
  const { promise: deadline, resolve } = Promise.withResolvers<symbol>()
  const timer = setTimeout(() => resolve(late), 5_000)
  expect(await Promise.race([sockets.close(60_000), deadline])).not.toBe(late)
  clearTimeout(timer)
  expect(await Promise.all(codes)).toEqual([1001, 1001, 1001])
  expect(stream.closed).toBe(3)
  expect(sockets.size).toBe(0)
})

test('a client that never answers the close is terminated', async () => {
  serve({})
  const stubborn = await rawSocket()
  stubborn.resume()
  const closed = once(stubborn, 'close')
  await sockets.close(50)
  await closed
  expect(sockets.size).toBe(0)
})

test('who comes while the others are closed is sent away too, and close waits for it', async () => {
  serve({})
  const stubborn = await rawSocket()
  stubborn.resume()
  const closing = sockets.close(300)
  const late = new WebSocket(`ws://127.0.0.1:${port()}`)
  ends.push(() => late.terminate())
  const [code] = await once(late, 'close')
  expect(code).toBe(1001)
  await closing
  expect(sockets.size).toBe(0)
  expect(stream.sinks.size).toBe(0)
})
