import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer, type Server, type Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { eventually } from '../../../test/support/eventually.ts'
import { type Receiver, startReceiver } from '../../../test/support/receiver.ts'
import { createAddressGuard } from './address-guard.ts'
import { createPoster, type Poster } from './post.ts'

let receiver: Receiver
const stack = new AsyncDisposableStack()

/** A poster that may call these hosts though they are not public. */
function posterTo(...allowed: string[]): Poster {
  return stack.use(createPoster({ guard: createAddressGuard(allowed), timeoutMs: 10_000 }))
}
const message = { headers: { 'x-test': 'yes' }, body: '{"ü":1}' }

beforeAll(async () => {
  receiver = stack.use(await startReceiver())
})
afterEach(() => receiver.answer(204))
afterAll(() => stack.disposeAsync())

/** A server that speaks no HTTP but what `talk` writes. */
async function rawServer(talk: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>()
  const server: Server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    talk(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  stack.defer(async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
    await once(server, 'close')
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

test('it posts the body as it is, and tells the status and Retry-After', async () => {
  receiver.answer((response) => response.writeHead(503, { 'retry-after': '7' }).end('busy'))
  const answer = await posterTo('127.0.0.1').post(`${receiver.url}/a?b=c`, message)
  expect(answer).toEqual({ status: 503, retryAfter: '7' })
  expect(receiver.received.at(-1)).toMatchObject({
    path: '/a?b=c',
    body: message.body,
    headers: { 'x-test': 'yes', 'content-length': '8' },
  })
})

test('a redirect is an answer: it is not followed', async () => {
  const before = receiver.received.length
  receiver.answer((response) => response.writeHead(302, { location: `${receiver.url}/secret` }).end())
  expect(await posterTo('127.0.0.1').post(receiver.url, message)).toMatchObject({ status: 302 })
  expect(receiver.received.slice(before).map(({ path }) => path)).toEqual(['/'])
})

test.each([
  'http://127.0.0.1:PORT/',
  'http://2130706433:PORT/',
  'http://0x7f.1:PORT/',
  'http://[::1]:PORT/',
  'http://[::ffff:127.0.0.1]:PORT/',
  'http://localhost:PORT/',
  'http://localhost.:PORT/',
  'http://anything.localhost:PORT/',
  'http://10.0.0.1/',
  'http://169.254.169.254/latest/meta-data/',
  'http://0.0.0.0:PORT/',
])('%s is not called unless it is allowed', async (url) => {
  const before = receiver.received.length
  const failure = posterTo('other.test').post(url.replace('PORT', String(receiver.port)), message)
  await expect(failure).rejects.toThrow(new Error('the host has no public address'))
  expect(receiver.received).toHaveLength(before)
})

test('a name that leads to a private address is found out when connecting', async () => {
  const guard = createAddressGuard([])
  // The check of the name alone is not what refuses it here.
  const poster = stack.use(createPoster({ guard: { ...guard, refuses: () => false }, timeoutMs: 10_000 }))
  const failure = poster.post(`http://localhost:${receiver.port}/`, message)
  await expect(failure).rejects.toThrow(new Error('the host has no public address'))
})

test('an allowed name is called, and an allowed address under any of its writings', async () => {
  expect(await posterTo('localhost').post(`http://localhost:${receiver.port}/`, message)).toMatchObject({
    status: 204,
  })
  expect(await posterTo('127.0.0.1').post(`http://0x7f.1:${receiver.port}/`, message)).toMatchObject({
    status: 204,
  })
  await expect(posterTo('127.0.0.1').post(`http://localhost:${receiver.port}/`, message)).rejects.toThrow()
})

const late = new Error('no answer within 0.4 s')
const impatient = () => stack.use(createPoster({ guard: createAddressGuard(['127.0.0.1']), timeoutMs: 400 }))

test.each([
  ['accepts and says nothing', () => {}],
  ['drips its head', (socket: Socket) => void drip(socket, 'HTTP/1.1 200 OK\r\nx: ')],
  [
    'sends interim answers for ever',
    (socket: Socket) => void drip(socket, '', 'HTTP/1.1 102 Processing\r\n\r\n'),
  ],
])('a receiver that %s is given up in time', async (_what, talk) => {
  const began = performance.now()
  await expect(impatient().post(await rawServer(talk), message)).rejects.toThrow(late)
  expect(performance.now() - began).toBeLessThan(2_000)
})

test('endless headers are refused, and take no memory', async () => {
  const url = await rawServer((socket) => {
    socket.write('HTTP/1.1 200 OK\r\n')
    const more = () => {
      while (!socket.destroyed && socket.write(`x-${'y'.repeat(8000)}: z\r\n`));
      if (!socket.destroyed) socket.once('drain', more)
    }
    more()
  })
  await expect(posterTo('127.0.0.1').post(url, message)).rejects.toThrow(/[Hh]eaders/)
})

test('of an endless body little is read, and the status counts', async () => {
  let sent = 0
  let closed = false
  receiver.answer((response) => {
    response.writeHead(200)
    const chunk = Buffer.alloc(64 * 1024)
    const more = () => {
      if (response.destroyed) return
      sent += chunk.length
      if (response.write(chunk)) setImmediate(more)
      else response.once('drain', more)
    }
    response.on('close', () => {
      closed = true
    })
    more()
  })
  expect(await posterTo('127.0.0.1').post(receiver.url, message)).toMatchObject({ status: 200 })
  await eventually(() => closed, 'the connection is closed')
  expect(sent).toBeLessThan(32 * 1024 * 1024)
})

test('a body that never ends, drop by drop, is left after a moment', async () => {
  receiver.answer((response, _received, request) => {
    response.writeHead(200)
    const timer = setInterval(() => response.write(' '), 10)
    request.socket.on('close', () => clearInterval(timer))
  })
  const began = performance.now()
  expect(await posterTo('127.0.0.1').post(receiver.url, message)).toMatchObject({ status: 200 })
  expect(performance.now() - began).toBeLessThan(3_000)
})

test.each([
  ['closes at once', (socket: Socket) => void socket.end()],
  ['resets', (socket: Socket) => void socket.resetAndDestroy()],
  ['speaks something else', (socket: Socket) => void socket.end('220 mail.example ESMTP\r\n')],
])('a receiver that %s is a failure with a reason', async (_what, talk) => {
  const failure = posterTo('127.0.0.1').post(await rawServer(talk), message)
  await expect(failure).rejects.toThrow(/\S/)
  await expect(failure).rejects.not.toThrow(late)
})

test('what cannot be reached has a reason, and a stop from outside ends it', async () => {
  const poster = posterTo('127.0.0.1')
  await expect(poster.post('http://127.0.0.1:1/', message)).rejects.toThrow(/ECONNREFUSED/)
  await expect(poster.post('http://nobody.invalid/', message)).rejects.toThrow(/ENOTFOUND|EAI_AGAIN/)
  const stop = new AbortController()
  const hanging = poster.post(await rawServer(() => {}), { ...message, signal: stop.signal })
  const over = expect(hanging).rejects.toThrow(/abort/)
  stop.abort()
  await over
})

function drip(socket: Socket, first: string, drop = 'y'): void {
  socket.write(first)
  const timer = setInterval(() => socket.write(drop), 10)
  socket.on('close', () => clearInterval(timer))
}
