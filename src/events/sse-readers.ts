import type { ServerResponse } from 'node:http'
import { type Actor, isRevoked, type Revocation } from '../core/actor.ts'
import { MAX_UNSENT_BYTES, PING_MS } from './sockets.ts'
import type { Subscription } from './stream.ts'
import { waitForDrain } from './wait-for-drain.ts'

/** A comment, which readers skip (HTML standard, section 9.2.6): it keeps proxies from closing what is silent. */
const HEARTBEAT = Buffer.from(':\n\n')

/** The open streams of Server-Sent Events of this process: delivery, heartbeats, and the end of slow ones. */
export class EventSources {
  readonly #clients = new Map<ServerResponse, Actor>()
  readonly #heart: NodeJS.Timeout
  #closed = false

  constructor(heartbeatMs = PING_MS) {
    this.#heart = setInterval(() => {
      for (const response of this.#clients.keys()) response.write(HEARTBEAT)
    }, heartbeatMs).unref()
  }

  get size(): number {
    return this.#clients.size
  }

  /** Delivers to `response`, of which the head has been written, until one of them ends. */
  add(response: ServerResponse, actor: Actor, subscription: Subscription): void {
    if (this.#closed || response.destroyed) {
      subscription.close()
      response.end()
      return
    }
    this.#clients.set(response, actor)
    response.on('error', () => {}) // 'close' follows.
    response.on('close', () => {
      this.#clients.delete(response)
      subscription.close()
    })
    subscription.open(
      (frames) => {
        if (response.writableEnded) return
        // It comes again, with the id of the last event that it got.
        if (response.writableLength + frames.length > MAX_UNSENT_BYTES && response.writableLength > 0) {
          response.destroy()
        } else {
          response.write(frames)
        }
      },
      { waitForDrain: () => waitForDrain(response), lost: () => response.end() },
    )
  }

  /** Ends the streams of a credential that is no longer valid. */
  revoke(revocation: Revocation): void {
    for (const [response, actor] of this.#clients) {
      if (actor.kind === 'user' && isRevoked(actor, revocation)) response.end()
    }
  }

  /** Ends all of them, and takes no more. */
  close(): void {
    this.#closed = true
    clearInterval(this.#heart)
    for (const response of this.#clients.keys()) response.end()
  }
}
