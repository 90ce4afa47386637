import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { createClient } from 'redis'
import { openRedis, type Redis } from '../../src/redis/redis.ts'
import { logTo } from './log.ts'

const DEFAULT_URL = 'redis://127.0.0.1:6379'

/**
 * The Redis that tests use: `TEST_REDIS_URL`, or one that listens on this machine; undefined, and said
 * so, where there is none. With `REQUIRE_SERVICES=1` that is an error.
 */
export const redisUrl = await reachableRedis(process.env.TEST_REDIS_URL || DEFAULT_URL)

async function reachableRedis(url: string): Promise<string | undefined> {
  const client = createClient({ url, socket: { connectTimeout: 2000, reconnectStrategy: false } })
  client.on('error', () => {})
  try {
    await client.connect()
    await client.ping()
    return url
  } catch (error) {
    const reason = `NOT COVERED: Redis (${error instanceof Error ? error.message : error}); TEST_REDIS_URL can name one`
    if (process.env.REQUIRE_SERVICES === '1') throw new Error(reason)
    process.stderr.write(`${reason}\n`)
    return undefined
  } finally {
    client.destroy()
  }
}

export interface TestRedis extends Redis {
  url: string
  /** What the keys of this test have to begin with; they are removed when it is disposed. */
  prefix: string
  /** The keys there are that begin with `prefix`. */
  keys(): Promise<string[]>
}

/** A connection to `redisUrl`, and a part of it of the test's own. */
export async function openTestRedis(): Promise<TestRedis> {
  if (!redisUrl) throw new Error('this needs Redis')
  const redis = await openRedis(redisUrl, logTo([]))
  const prefix = `taskwire_test_${randomBytes(6).toString('hex')}`
  const keys = async () => (await redis.send(['KEYS', `${prefix}*`])) as string[]
  return {
    ...redis,
    url: redisUrl,
    prefix,
    keys,
    async [Symbol.asyncDispose]() {
      const left = await keys()
      if (left.length > 0) await redis.send(['DEL', ...left])
      await redis[Symbol.asyncDispose]()
    },
  }
}

export interface RedisProxy extends AsyncDisposable {
  /** Redis by way of the proxy. */
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

/** A TCP proxy in front of `redisUrl`, by which Redis is away for one test and not for the others. */
export async function startRedisProxy(): Promise<RedisProxy> {
  const target = new URL(redisUrl!)
  const sockets = new Set<Socket>()
  let isHanging = false
  let server: Server
  let port = 0
  const flow = (socket: Socket) => (isHanging ? socket.pause() : socket.resume())
  const join = (from: Socket, to: Socket) => {
    sockets.add(from)
    from.on('data', (data) => to.write(data))
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
      const upstream = connect(Number(target.port || 6379), target.hostname)
      join(socket, upstream)
      join(upstream, socket)
    })
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    port = (server.address() as AddressInfo).port
  }
  const proxy: RedisProxy = {
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
  const url = new URL(target)
  url.host = `127.0.0.1:${port}`
  proxy.url = url.href
  return proxy
}
