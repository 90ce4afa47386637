import type { MsgHdrs, NatsConnection } from '@nats-io/transport-node'
import { unlessAborted } from '../../../core/abort.ts'
import { DomainError, errorText } from '../../../core/errors.ts'
import type { Logger } from '../../logging/logger.ts'
import { ownSockets } from './client-sockets.ts'
import { natsAddress } from './nats-address.ts'

/** An open connection. */
export interface NatsLink {
  readonly connection: NatsConnection
  /** Builds the headers of a message. */
  headers(values: Record<string, string>): MsgHdrs
  /** Aborted when the connection is lost; pending requests on it get no response. */
  readonly lost: AbortSignal
}

export interface Nats extends AsyncDisposable {
  /** Resolves to the connection once there is one; rejects if the signal is aborted first. */
  link(signal: AbortSignal): Promise<NatsLink>
  /** Returns the connection; throws DomainError `unavailable` if there is none. */
  present(): NatsLink
  /** Resolves if NATS responds within `milliseconds`, else rejects. */
  ping(milliseconds: number): Promise<void>
}

const CONNECT_MS = 3_000
/** How long a start waits for the first connection. */
const PATIENCE_MS = 1_000
/** The client reconnects after two pings without a response. */
const PING_EVERY_MS = 5_000
const RECONNECT_MS = 250

/**
 * Connects to `url` in the background and keeps reconnecting indefinitely. Resolves when the first attempt has
 * succeeded or failed, or after 1 s. It logs one WARN when NATS becomes unavailable and one INFO when it is
 * available again.
 */
export async function openNats(url: string, log: Logger): Promise<Nats> {
  // Imported here so that a server without NATS does not spend the memory.
  const { connect, headers } = await import('@nats-io/transport-node')
  const headersOf = (values: Record<string, string>) => {
    const result = headers()
    for (const [name, value] of Object.entries(values)) result.set(name, value)
    return result
  }
  let isDown = false
  let isClosing = false
  let lastComplaint = ''
  let link: (NatsLink & { lose: AbortController }) | undefined
  let connection: NatsConnection | undefined
  let linked = Promise.withResolvers<void>()
  const attempted = Promise.withResolvers<void>()
  // Longer than the timeout of the client, which should fail first.
  const sockets = ownSockets(CONNECT_MS + 1_000)

  const options = {
    ...natsAddress(url),
    name: 'taskwire',
    timeout: CONNECT_MS,
    pingInterval: PING_EVERY_MS,
    maxReconnectAttempts: -1,
    // A rejected password may be corrected on the server.
    ignoreAuthErrorAbort: true,
    noAsyncTraces: true,
    reconnectDelayHandler: () => {
      // The client has no other way to cancel its first connection attempts.
      if (isClosing) throw new Error('closed')
      return RECONNECT_MS * (1 + Math.random())
    },
  }

  function onDown(reason: unknown): void {
    link?.lose.abort(new DomainError('unavailable', 'The connection to NATS was lost.'))
    link = undefined
    if (!isDown && !isClosing) log.warn(`NATS is unavailable: ${errorText(reason)}`)
    isDown = true
    attempted.resolve()
  }

  function onUp(connection: NatsConnection): void {
    const lose = new AbortController()
    link = { connection, headers: headersOf, lost: lose.signal, lose }
    if (isDown) log.info('NATS is available again')
    isDown = false
    attempted.resolve()
    linked.resolve()
    linked = Promise.withResolvers()
  }

  /** Logs an error of the server, such as a missing permission, once although the server repeats it. */
  function warnOnce(complaint: string): void {
    if (complaint !== lastComplaint) log.warn(`NATS: ${complaint}`)
    lastComplaint = complaint
  }

  async function firstConnection(): Promise<NatsConnection> {
    try {
      return await connect(options)
    } catch (error) {
      onDown(error)
      return await connect({ ...options, waitOnFirstConnect: true })
    }
  }

  async function follow(): Promise<void> {
    connection = await firstConnection()
    if (isClosing) return await connection.close()
    onUp(connection)
    for await (const status of connection.status()) {
      if (status.type === 'disconnect') onDown('disconnected')
      else if (status.type === 'reconnect') onUp(connection)
      else if (status.type === 'error') warnOnce(errorText(status.error))
    }
  }

  sockets.run(follow).catch((error) => onDown(error))
  const patience = setTimeout(attempted.resolve, PATIENCE_MS)
  await attempted.promise
  clearTimeout(patience)

  const present = () => {
    if (!link) throw new DomainError('unavailable', 'NATS is not available.')
    return link
  }
  return {
    async link(signal) {
      while (!link) await unlessAborted(linked.promise, signal)
      return link
    },
    present,
    async ping(milliseconds) {
      const { connection } = present()
      await unlessAborted(connection.flush(), AbortSignal.timeout(milliseconds))
    },
    async [Symbol.asyncDispose]() {
      isClosing = true
      link?.lose.abort(new DomainError('unavailable', 'The server is stopping.'))
      await connection?.close()
      sockets[Symbol.dispose]()
    },
  }
}
