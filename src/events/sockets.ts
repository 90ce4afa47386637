import type { Duplex } from 'node:stream'
import { WebSocket } from 'ws'
import { scopeOf } from '../core/access-scope.ts'
import { type Actor, isRevoked, type Revocation } from '../core/actor.ts'
import type { Subscription } from './stream.ts'
import { waitForDrain } from './wait-for-drain.ts'

/** Why a socket is closed: RFC 6455, section 7.4.1, and codes of our own. */
export const closeCodes = {
  goingAway: 1001,
  tryAgainLater: 1013,
  notAuthenticated: 4401,
  notAllowed: 4403,
  authTimeout: 4408,
  tooSlow: 4413,
} as const

export const PING_MS = 25_000
const DEAD_MS = 45_000
/** How often sockets are looked at; pings and deadlines are late by at most this. */
const SWEEP_MS = 1_000
/** A reader with more than this unsent is too slow for live events. */
export const MAX_UNSENT_BYTES = 1024 * 1024

interface Client {
  socket: WebSocket
  /** The connection under `socket`: frames that many share are written to it as they are. */
  wire: Duplex
  /** Whom it was admitted for; undefined until it is. */
  actor: Actor | undefined
  subscription: Subscription | undefined
  /** By a clock that nobody sets. */
  lastHeard: number
  lastPing: number
}

/** The operations on a socket after its handshake. */
export interface Admission {
  /** Delivers to it, for `actor` and until the subscription or the socket ends. */
  admit(actor: Actor, subscription: Subscription): void
  /** One that was admitted for everybody's events is this actor's from here on. */
  narrow(actor: Actor): void
}

export interface SocketLimits {
  pingMs?: number
  deadMs?: number
  sweepMs?: number
  maxUnsentBytes?: number
}

/** The open WebSockets of this process: delivery, pings, and the end of slow and dead ones. */
export class Sockets implements AsyncDisposable {
  readonly #clients = new Set<Client>()
  readonly #pingMs: number
  readonly #deadMs: number
  readonly #maxUnsentBytes: number
  readonly #sweeper: NodeJS.Timeout
  /** Set once the server goes away. */
  #graceMs: number | undefined

  constructor(limits: SocketLimits = {}) {
    this.#pingMs = limits.pingMs ?? PING_MS
    this.#deadMs = limits.deadMs ?? DEAD_MS
    this.#maxUnsentBytes = limits.maxUnsentBytes ?? MAX_UNSENT_BYTES
    this.#sweeper = setInterval(() => this.#sweep(), limits.sweepMs ?? SWEEP_MS).unref()
  }

  get size(): number {
    return this.#clients.size
  }

  /** Keeps `socket` alive, and delivers nothing to it until it is admitted. */
  add(socket: WebSocket, wire: Duplex): Admission {
    const now = performance.now()
    const client: Client = {
      socket,
      wire,
      actor: undefined,
      subscription: undefined,
      lastHeard: now,
      lastPing: now,
    }
    const heard = () => {
      client.lastHeard = performance.now()
    }
    socket.on('pong', heard)
    socket.on('message', heard)
    socket.on('close', () => this.#remove(client))
    socket.on('error', () => {}) // 'close' follows.
    this.#clients.add(client)
    if (this.#graceMs !== undefined) sendAway(client, this.#graceMs)
    return {
      admit: (actor, subscription) => {
        if (!this.#clients.has(client) || this.#graceMs !== undefined) return subscription.close()
        client.actor = actor
        client.subscription = subscription
        subscription.open((frames) => this.#deliver(client, frames), {
          waitForDrain: () => waitForDrain(wire),
          lost: () => socket.close(closeCodes.tryAgainLater, 'what was missed is no longer there'),
        })
      },
      narrow: (actor) => {
        client.actor = actor
        client.subscription?.narrow(scopeOf(actor))
      },
    }
  }

  /** Closes the sockets of a credential that is no longer valid. */
  revoke(revocation: Revocation): void {
    for (const { actor, socket, subscription } of this.#clients) {
      if (actor?.kind === 'user' && isRevoked(actor, revocation)) {
        subscription?.close()
        socket.close(closeCodes.notAuthenticated, 'no longer authenticated')
      }
    }
  }

  /** Closes every socket with 1001 and waits up to `graceMs` for the clients to close. */
  async close(graceMs: number): Promise<void> {
    this.#graceMs = graceMs
    clearInterval(this.#sweeper)
    for (const client of this.#clients) sendAway(client, graceMs)
    // Some connect again at once, to be sent away once more.
    while (this.#clients.size > 0) {
      await Promise.all(
        [...this.#clients].map(({ socket }) => new Promise((resolve) => socket.once('close', resolve))),
      )
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close(0)
  }

  // Everybody gets the same bytes: no copy and no framing per socket, and one system call for all
  // the events in them. `ws` writes its own frames (pings, close) whole too, so they do not mix.
  #deliver(client: Client, frames: Buffer): void {
    const { socket, wire } = client
    if (socket.readyState !== WebSocket.OPEN) return
    const unsent = wire.writableLength
    if (unsent > 0 && unsent + frames.length > this.#maxUnsentBytes) {
      // It stays among the clients until its connection ends: it may never read the close frame.
      client.subscription?.close()
      socket.close(closeCodes.tooSlow, 'too slow')
    } else {
      wire.write(frames)
    }
  }

  #remove(client: Client): void {
    client.subscription?.close()
    this.#clients.delete(client)
  }

  #sweep(): void {
    const now = performance.now()
    for (const client of this.#clients) {
      if (now - client.lastHeard >= this.#deadMs) {
        client.socket.terminate()
      } else if (now - client.lastPing >= this.#pingMs) {
        client.lastPing = now
        client.socket.ping()
      }
    }
  }
}

function sendAway({ socket }: Client, graceMs: number): void {
  socket.close(closeCodes.goingAway, 'server going away')
  const timer = setTimeout(() => socket.terminate(), graceMs)
  socket.once('close', () => clearTimeout(timer))
}
