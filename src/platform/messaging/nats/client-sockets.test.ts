import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ownSockets } from './client-sockets.ts'

const server = createServer()
beforeAll(async () => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
})
afterAll(() => server.close())

const open = () => connect((server.address() as AddressInfo).port, '127.0.0.1')
/** Simulates dropped packets: the name is never resolved. */
const stuck = () => connect({ host: 'nowhere.test', port: 4222, lookup: () => {} })
const closed = (socket: Socket) => once(socket, 'close')

test('a socket that is not connected in time is destroyed, other sockets stay open', async () => {
  using sockets = ownSockets(500)
  const [late, good] = sockets.run(() => [stuck(), open()] as const)
  const foreign = stuck()
  await Promise.all([closed(late), once(good, 'connect')])
  expect([good.destroyed, foreign.destroyed]).toEqual([false, false])
  foreign.destroy()
})

test('disposal destroys all tracked sockets and no others', async () => {
  const sockets = ownSockets(60_000)
  const foreign = open()
  const ours = sockets.run(() => [stuck(), open()] as const)
  await Promise.all([foreign, ours[1]].map((socket) => once(socket, 'connect')))
  const ended = Promise.all(ours.map(closed))
  sockets[Symbol.dispose]()
  await ended
  expect(foreign.destroyed).toBe(false)
  foreign.destroy()
})
