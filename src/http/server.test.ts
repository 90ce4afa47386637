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
])('of a proxy in %s, %s, what it forwards is believed', async (trusted, peer) => {
  expect(await seen(['192.0.2.1', trusted], peer, forwarded)).toEqual(['203.0.113.7', 'https'])
})

test.each([
  [[], '127.0.0.1'],
  [['10.0.0.0/8'], '127.0.0.1'],
  [['10.0.0.0/8'], '11.0.0.1'],
  [['10.0.0.1'], '10.0.0.2'],
  [['10.0.0.0/8'], '::1'],
])('trusting %j, what %s forwards is not', async (trusted, peer) => {
  expect(await seen(trusted, peer, forwarded)).toEqual([peer, 'http'])
})

test('the caller is the last address that no proxy of ours stands behind', async () => {
  const chain = { 'x-forwarded-for': '198.51.100.1, 203.0.113.7, 10.9.9.9' }
  expect(await seen(['10.0.0.0/8'], '10.1.2.3', chain)).toEqual(['203.0.113.7', 'http'])
})
