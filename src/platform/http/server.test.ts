import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { pino } from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { bareServer } from './server.ts'

/** Whom a server takes the caller of such a request for, and how it thinks it was reached. */
async function seen(trusted: string[], remoteAddress: string, headers: Record<string, string>) {
  const app = bareServer(pino({ enabled: false }), trusted)
  onTestFinished(() => app.close())
  app.get('/', async ({ ip, protocol }) => [ip, protocol])
  return (await app.inject({ url: '/', remoteAddress, headers })).json()
}

const forwarded = { 'x-forwarded-for': '203.0.113.7', 'x-forwarded-proto': 'https' }

test.each([
  ['10.0.0.0/8', '10.1.2.3'],
  ['10.1.2.3', '10.1.2.3'],
  ['10.0.0.0/8', '::ffff:10.1.2.3'],
  ['fd00::/8', 'fd00::1'],
])('X-Forwarded-* of a proxy in %s at %s is trusted', async (trusted, peer) => {
  expect(await seen(['192.0.2.1', trusted], peer, forwarded)).toEqual(['203.0.113.7', 'https'])
})

test.each([
  [[], '127.0.0.1'],
  [['10.0.0.0/8'], '127.0.0.1'],
  [['10.0.0.0/8'], '11.0.0.1'],
  [['10.0.0.1'], '10.0.0.2'],
  [['10.0.0.0/8'], '::1'],
])('if %j is trusted, X-Forwarded-* of %s is not', async (trusted, peer) => {
  expect(await seen(trusted, peer, forwarded)).toEqual([peer, 'http'])
})

test('the client address is the last one that is not a trusted proxy', async () => {
  const chain = { 'x-forwarded-for': '198.51.100.1, 203.0.113.7, 10.9.9.9' }
  expect(await seen(['10.0.0.0/8'], '10.1.2.3', chain)).toEqual(['203.0.113.7', 'http'])
})

test('a client that stops reading is disconnected; a slow reader is served', async () => {
  const app = bareServer(pino({ enabled: false }), [], 300)
  onTestFinished(() => app.close())
  const size = 32 * 1024 * 1024
  app.get('/', async () => 'x'.repeat(size))
  await app.listen({ host: '127.0.0.1', port: 0 })
  const open = () => {
    const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1')
    socket.on('error', () => {})
    socket.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
    return socket
  }
  const stalled = open()
  await once(app.server, 'request')
  const cut = once(stalled, 'close')
  let received = 0
  const slow = open()
  slow.on('data', (chunk) => {
    received += chunk.length
    slow.pause()
    setTimeout(() => slow.resume(), 5)
  })
  await once(slow, 'close')
  expect(received).toBeGreaterThan(size)
  stalled.resume()
  await cut
  expect(stalled.bytesRead).toBeLessThan(size)
})
