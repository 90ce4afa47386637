import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** A TCP proxy in front of a service, by which it is away for one test and not for the others. */
export interface TcpProxy extends AsyncDisposable {
  /** The service by way of the proxy. */
  url: string
  /** Ends the connections, and refuses new ones. */
  refuse(): Promise<void>
  /** Takes everything, also new connections, and lets nothing through in either direction. */
  hang(): void
  /** Lets everything through again, also what has waited. */
  restore(): Promise<void>
  /** Ends the connections; new ones are let through. */
  cut(): void
  /** Connections there have been. */
  connections: number
}

/** A proxy to the host and port of `url`, where the port may be left out if it is this one. */
export async function startProxy(url: string, defaultPort: number): Promise<TcpProxy> {
  const target = new URL(url)
  // PostgreSQL may be at a unix socket, of which a URL tells as a parameter.
  const folder = target.searchParams.get('host')
  const targetPort = Number(target.searchParams.get('port') ?? (target.port || defaultPort))
  const reach = () =>
    folder?.startsWith('/')
      ? connect(`${folder}/.s.PGSQL.${targetPort}`)
      : connect(targetPort, folder ?? target.hostname)
  const sockets = new Set<Socket>()
  let isHanging = false
  let server: Server
  let port = 0
  const flow = (socket: Socket) => (isHanging ? socket.pause() : socket.resume())
  const join = (from: Socket, to: Socket) => {
    sockets.add(from)
    from.on('data', (data) => {
      if (to.write(data)) return
      from.pause()
      to.once('drain', () => flow(from))
    })
    from.on('error', () => {})
    from.on('close', () => {
      sockets.delete(from)
      to.destroy()
    })
    flow(from)
  }
  const listen = async () => {
    server = createServer((socket) => {
      proxy.connections++
      const upstream = reach()
      join(socket, upstream)
      join(upstream, socket)
    })
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    port = (server.address() as AddressInfo).port
  }
  const proxy: TcpProxy = {
    url: '',
    connections: 0,
    async refuse() {
      const closed = once(server, 'close')
      server.close()
      proxy.cut()
      await closed
    },
    hang() {
      isHanging = true
      for (const socket of sockets) flow(socket)
    },
    async restore() {
      isHanging = false
      for (const socket of sockets) flow(socket)
      if (!server.listening) await listen()
    },
    cut() {
      for (const socket of sockets) socket.destroy()
    },
    async [Symbol.asyncDispose]() {
      if (server.listening) await proxy.refuse()
    },
  }
  await listen()
  const own = new URL(target)
  own.host = `127.0.0.1:${port}`
  own.searchParams.delete('host')
  own.searchParams.delete('port')
  proxy.url = own.href
  return proxy
}
