import type { MsgHdrs, NatsConnection } from '@nats-io/transport-node'
import { unlessAborted } from '../../../core/abort.ts'
import { DomainError, errorText } from '../../../core/errors.ts'
import type { Logger } from '../../logging/logger.ts'
import { ownSockets } from './client-sockets.ts'
import { natsAddress } from './nats-address.ts'

/** A connection while it stands. */
export interface NatsLink {
  readonly connection: NatsConnection
  /** What to send with a message. */
  headers(values: Record<string, string>): MsgHdrs
  /** Aborted when it is lost; what was asked on it will not be answered. */
  readonly lost: AbortSignal
}

export interface Nats extends AsyncDisposable {
  /** The connection, as soon as there is one; rejects when the signal is aborted first. */
  link(signal: AbortSignal): Promise<NatsLink>
  /** The connection; throws DomainError `unavailable` while there is none. */
  present(): NatsLink
  /** Resolves when NATS answers within `milliseconds`, else rejects. */
  ping(milliseconds: number): Promise<void>
}

const CONNECT_MS = 3_000
/** How long a start waits for the first connection. */
const PATIENCE_MS = 1_000
/** A connection without an answer to two of these is renewed. */
const PING_EVERY_MS = 5_000
const RECONNECT_MS = 250

/**
 * Connects to `url` in the background and for ever, with the client's own reconnecting. Resolves when the
 * first attempt has come to an end, whichever, or after 1 s; one WARN tells that NATS went away, one INFO
 * that it is back.
 */
export async function openNats(url: string, log: Logger): Promise<Nats> {
  // Memory that a server without NATS does not pay.
  const { connect, headers } = await import('@nats-io/transport-node')
  const headersOf = (values: Record<string, string>) => {
    const made = headers()
    for (const [name, value] of Object.entries(values)) made.set(name, value)
    return made
  }
  let isAway = false
  let isClosing = false
  let told = ''
  let link: (NatsLink & { lose: AbortController }) | undefined
  let connection: NatsConnection | undefined
  let linked = Promise.withResolvers<void>()
  const attempted = Promise.withResolvers<void>()
  // The client is the first to give up.
  const sockets = ownSockets(CONNECT_MS + 1_000)

  const options = {
    ...natsAddress(url),
    name: 'taskwire',
    timeout: CONNECT_MS,
    pingInterval: PING_EVERY_MS,
    maxReconnectAttempts: -1,
    // A password that is refused today may be put right tomorrow.
    ignoreAuthErrorAbort: true,
    noAsyncTraces: true,
    reconnectDelayHandler: () => {
      // There is no other way to end the first connecting.
      if (isClosing) throw new Error('closed')
      return RECONNECT_MS * (1 + Math.random())
    },
  }

  function away(reason: unknown): void {
    link?.lose.abort(new DomainError('unavailable', 'The connection to NATS was lost.'))
    link = undefined
    if (!isAway && !isClosing) log.warn(`NATS is away: ${errorText(reason)}`)
    isAway = true
    attempted.resolve()
  }

  function here(connection: NatsConnection): void {
    const lose = new AbortController()
    link = { connection, headers: headersOf, lost: lose.signal, lose }
    if (isAway) log.info('NATS is back')
    isAway = false
    attempted.resolve()
    linked.resolve()
    linked = Promise.withResolvers()
  }

  /** What the server complains of, such as a missing permission; it does so again and again. */
  function tell(complaint: string): void {
    if (complaint !== told) log.warn(`NATS: ${complaint}`)
    told = complaint
  }

  async function firstConnection(): Promise<NatsConnection> {
    try {
      return await connect(options)
    } catch (error) {
      away(error)
      return await connect({ ...options, waitOnFirstConnect: true })
    }
  }

  async function follow(): Promise<void> {
    connection = await firstConnection()
    if (isClosing) return await connection.close()
    here(connection)
    for await (const status of connection.status()) {
      if (status.type === 'disconnect') away('disconnected')
      else if (status.type === 'reconnect') here(connection)
      else if (status.type === 'error') tell(errorText(status.error))
    }
  }

  sockets.run(follow).catch((error) => away(error))
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
