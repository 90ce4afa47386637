import { unlessAborted } from '../../../core/abort.ts'
import { ownSockets } from './client-sockets.ts'
import { natsAddress } from './nats-address.ts'

const CONNECT_MS = 4_000

/**
 * Connects once to the NATS server at `url` and returns whether it has JetStream. Rejects with the reason if it
 * cannot be reached, rejects the credentials or does not respond.
 */
export async function probeNats(url: string, signal: AbortSignal): Promise<{ jetstream: boolean }> {
  const { connect } = await import('@nats-io/transport-node')
  using sockets = ownSockets(CONNECT_MS)
  const connection = await unlessAborted(
    sockets.run(() =>
      connect({ ...natsAddress(url), name: 'taskwire-doctor', timeout: CONNECT_MS, reconnect: false }),
    ),
    signal,
  )
  try {
    await unlessAborted(connection.flush(), signal)
    return { jetstream: connection.info?.jetstream === true }
  } finally {
    await connection.close()
  }
}
