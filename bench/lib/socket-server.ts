import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { pino } from 'pino'
import { type WebSocket, WebSocketServer } from 'ws'
import { scopeOf } from '../../src/core/access-scope.ts'
import { operator } from '../../src/core/actor.ts'
import { channels } from '../../src/events/event-types.ts'
import { Sockets } from '../../src/events/sockets.ts'
import { EventStream } from '../../src/events/stream.ts'
import { currencyEventRenderers } from '../../src/features/currencies/index.ts'
import { importEventRenderers } from '../../src/features/imports/import-events.ts'
import { taskEventRenderers, taskPresenter } from '../../src/features/tasks/index.ts'
import { Feed } from './feed.ts'

export const renderers = {
  ...taskEventRenderers(taskPresenter('snake')),
  ...importEventRenderers,
  ...currencyEventRenderers,
}

/** A WebSocket, and the connection under it. */
export interface PlainSocket {
  socket: WebSocket
  wire: Duplex
}

/**
 * The event stream and its sockets in this process, on a feed instead of a database: `/stream` is
 * our delivery, the sockets of `/plain` are given to the caller.
 */
export async function startSocketServer() {
  const feed = new Feed()
  const stream = new EventStream(feed, pino({ level: 'silent' }), renderers)
  feed.onMore = () => stream.wake()
  await stream.start()
  const sockets = new Sockets()
  const plain = new Set<PlainSocket>()
  const types = new Set(channels.tasks)
  const upgrades = new WebSocketServer({ noServer: true, perMessageDeflate: false })
  const server = createServer().on('upgrade', async (request, wire, head) => {
    const subscription =
      request.url === '/stream'
        ? await stream.subscribe({ types, scope: scopeOf(operator), encoding: 'websocket' })
        : undefined
    upgrades.handleUpgrade(request, wire, head, (socket) => {
      if (subscription) sockets.add(socket, wire).admit(operator, subscription)
      else {
        const client = { socket, wire }
        plain.add(client)
        socket.on('close', () => plain.delete(client))
      }
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    /** Makes events readable and wakes the stream, as a commit does. */
    tell(events: number, batch: number) {
      feed.add(events, batch)
      stream.wake()
    },
    plain,
    async [Symbol.asyncDispose]() {
      await sockets[Symbol.asyncDispose]()
      for (const { socket } of plain) socket.terminate()
      await stream[Symbol.asyncDispose]()
      server.close()
    },
  }
}
