import { AsyncLocalStorage } from 'node:async_hooks'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { Socket } from 'node:net'

const CHANNEL = 'net.client.socket'

/** The sockets that are made by what is run here. */
export interface ClientSockets extends Disposable {
  run<T>(work: () => T): T
}

/**
 * Ends sockets that are not connected within `milliseconds`, and all of them when it is disposed. The NATS
 * client leaves a socket on which its attempt fails to the operating system: where packets vanish that is
 * one more with each attempt, for minutes each, and in any case the last one keeps the process from ending.
 */
export function ownSockets(milliseconds: number): ClientSockets {
  const isOurs = new AsyncLocalStorage<true>()
  const sockets = new Set<Socket>()

  const onSocket = (message: unknown) => {
    if (!isOurs.getStore()) return
    // The client takes all listeners off its sockets, so nobody hears of their end.
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
