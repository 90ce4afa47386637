import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface CuttingProxy extends AsyncDisposable {
  url: string
  /** Connections that were cut. */
  cuts: number
  /** While true nothing is cut. */
  isCalm: boolean
}

/**
 * A TCP proxy that cuts each connection after a random number of bytes of the server's, wherever that is:
 * in a head, a line, a character. `random` gives numbers from 0 to 1.
 */
export async function startCuttingProxy(
  target: string,
  { random, mostBytes }: { random: () => number; mostBytes: number },
): Promise<CuttingProxy> {
  const { hostname, port } = new URL(target)
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname)
    let left = Math.ceil(random() * mostBytes)
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
    }
    client.pipe(upstream)
    upstream.on('data', (bytes: Buffer) => {
      if (!proxy.isCalm && bytes.length >= left) {
        proxy.cuts++
        upstream.pause()
        client.end(bytes.subarray(0, left), () => client.destroy())
      } else {
        left -= bytes.length
        if (!client.write(bytes)) {
          upstream.pause()
          client.once('drain', () => upstream.resume())
        }
      }
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const proxy: CuttingProxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cuts: 0,
    isCalm: false,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
  return proxy
}
