import type { Duplex } from 'node:stream'
import type { ClientBase } from 'pg'

/** The connection under a client of the driver, which does not tell of it. */
export function streamOf(client: ClientBase): Duplex {
  return (client as unknown as { connection: { stream: Duplex } }).connection.stream
}
