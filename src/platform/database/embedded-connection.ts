import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'
import pg from 'pg'

/** The options for `pg`; `host` is the folder of the unix socket, on Windows 127.0.0.1. */
export interface Connection {
  host: string
  port: number
  user: string
  database: string
  password: string
}

/** Returns whether the role `taskwire` can connect; false if `provision` must create the role, password or database. */
export async function accepts(connection: Connection): Promise<boolean> {
  const client = new pg.Client({ ...connection, connectionTimeoutMillis: 10_000 })
  client.on('error', () => {})
  try {
    await client.connect()
    return true
  } catch (error) {
    if (error instanceof pg.DatabaseError && ['28P01', '28000', '3D000'].includes(error.code ?? ''))
      return false
    throw error
  } finally {
    await client.end().catch(() => {})
  }
}

/** Below 32768, where outgoing connections take their ports from on most systems. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 32_768)
    const probe = createServer().listen(port, '127.0.0.1')
    const free = await once(probe, 'listening').then(
      () => true,
      () => false,
    )
    probe.close()
    if (free) return port
  }
}
