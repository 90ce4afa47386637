import type { WebSocket } from 'ws'
import { scopeOf } from '../core/access-scope.ts'
import type { Actor } from '../core/actor.ts'
import { authorize, unauthenticated } from '../core/authorization.ts'
import { DomainError } from '../core/errors.ts'
import type { EventType } from './event-types.ts'
import type { Encoding } from './frame.ts'
import { closeCodes } from './sockets.ts'
import type { EventStream, Subscription } from './stream.ts'

/** How somebody who opens a socket proves who they are; `address` is theirs, to bound guesses. */
export interface SocketAuthenticator {
  authenticate(token: string, address: string): Promise<Actor | undefined>
  /** Spends a single-use ticket. */
  redeem(ticket: string, address: string): Promise<Actor | undefined>
  /** A moment, for `revokedSince`. */
  mark(): number
  /** Whether a credential of the actor was revoked after that moment. */
  revokedSince(mark: number, actor: Actor): boolean
}

/** A reader who may subscribe, with the subscription. */
export interface AdmittedReader {
  actor: Actor
  subscription: Subscription
  mark: number
}

/** The events that a reader asks for, and their encoding. */
export interface SubscriptionRequest {
  types: ReadonlySet<EventType>
  encoding: Encoding
  /** The last event that the reader has; undefined: live events only. */
  after: number | undefined
}

const AUTH_TIMEOUT_MS = 10_000

/**
 * Authenticates a reader and subscribes them to the stream. Throws `unauthenticated` if `find` finds nobody, and
 * `forbidden` if the actor may not read events.
 */
export async function admitReader(
  stream: EventStream,
  gate: SocketAuthenticator,
  wanted: SubscriptionRequest,
  find: () => Promise<Actor | undefined>,
): Promise<AdmittedReader> {
  const { actor, mark } = await admitted(gate, find)
  const { types, encoding, after } = wanted
  const subscription = await stream.subscribe({ types, scope: scopeOf(actor), encoding }, after)
  return { actor, mark, subscription }
}

/** The user of a token; throws as `admitReader` does. */
export async function authenticateAgain(
  gate: SocketAuthenticator,
  token: string,
  address: string,
): Promise<Actor> {
  const { actor, mark } = await admitted(gate, () => gate.authenticate(token, address))
  if (gate.revokedSince(mark, actor)) throw unauthenticated('The token is no longer valid.')
  return actor
}

async function admitted(gate: SocketAuthenticator, find: () => Promise<Actor | undefined>) {
  const mark = gate.mark()
  const actor = await find()
  if (!actor) throw unauthenticated('The token or ticket is not valid.')
  authorize(actor, 'event.read')
  return { actor, mark }
}

/** The token in the first message, `{"type":"auth","token":"…"}`; rejects with a close code when none comes in time. */
export async function firstToken(socket: WebSocket, timeoutMs = AUTH_TIMEOUT_MS): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const timer = setTimeout(
    () => reject(new Refusal(closeCodes.authTimeout, 'no authentication in time')),
    timeoutMs,
  )
  socket.once('close', () => reject(new Refusal(closeCodes.authTimeout, 'gone')))
  socket.once('message', (data) => {
    const token = tokenIn(String(data))
    if (token === undefined) reject(new Refusal(closeCodes.notAuthenticated, 'expected an auth message'))
    else resolve(token)
  })
  return promise.finally(() => clearTimeout(timer))
}

/** The close code and reason that a rejected socket receives. */
class Refusal extends Error {
  readonly code: number

  constructor(code: number, reason: string) {
    super(reason)
    this.code = code
  }
}

/** Closes a socket that is not admitted; `error` is what `admitReader` or `firstToken` threw. */
export function refuseSocket(socket: WebSocket, error: unknown): void {
  if (error instanceof Refusal) socket.close(error.code, error.message)
  else if (!(error instanceof DomainError)) socket.close(closeCodes.tryAgainLater, 'try again later')
  else if (error.code === 'unauthenticated') socket.close(closeCodes.notAuthenticated, 'not authenticated')
  else if (error.code === 'forbidden') socket.close(closeCodes.notAllowed, 'not allowed')
  else socket.close(closeCodes.tryAgainLater, 'try again later')
}

/** The token in a message that says who its sender is; undefined for any other message. */
export function tokenIn(text: string): string | undefined {
  try {
    const message = JSON.parse(text) as { type?: unknown; token?: unknown } | null
    return message?.type === 'auth' && typeof message.token === 'string' ? message.token : undefined
  } catch {
    return undefined
  }
}
