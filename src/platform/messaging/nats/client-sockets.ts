import { AsyncLocalStorage } from 'node:async_hooks'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { Socket } from 'node:net'

const CHANNEL = 'net.client.socket'

/** Tracks the sockets that are opened by the work run here. */
export interface ClientSockets extends Disposable {
  run<T>(work: () => T): T
}

/**
 * Destroys sockets that are not connected within `milliseconds`, and all of them when it is disposed. The NATS
 * client leaves the socket of a failed attempt to the operating system. If packets are dropped, each attempt adds
 * a socket that stays open for minutes, and the last one always keeps the process from exiting.
 */
export function ownSockets(milliseconds: number): ClientSockets {
  const isOurs = new AsyncLocalStorage<true>()
  const sockets = new Set<Socket>()

  const onSocket = (message: unknown) => {
    if (!isOurs.getStore()) return
    // The client removes all listeners from its sockets, so a 'close' listener would not be called.
    for (const one of sockets) if (one.destroyed) sockets.delete(one)
    const { socket } = message as { socket: Socket }
    sockets.add(socket)
    setTimeout(() => {
      if (socket.connecting) socket.destroy()
    }, milliseconds).unref()
  }

  subscribe(CHANNEL, onSocket)
  return {
    run: (work) => isOurs.run(true, work),
    [Symbol.dispose]() {
      unsubscribe(CHANNEL, onSocket)
      for (const socket of sockets) socket.destroy()
    },
  }
}
