export type Role = 'user' | 'admin'
export type Scope = 'read' | 'write' | 'admin'

/** A user who proved who they are, by an access token of a session or by an API token. */
export interface UserActor {
  readonly kind: 'user'
  readonly id: number
  readonly username: string
  readonly role: Role
  /** Scopes of the credential; an access token has all scopes of the role. */
  readonly scopes: readonly Scope[]
  /** The user's token epoch at the time. */
  readonly epoch: number
  /** The session whose access token it is; undefined for an API token. */
  readonly sessionId?: string
  /** The API token it is; undefined for an access token. */
  readonly tokenId?: number
}

/** The caller. A caller without a token is the operator while access is open. */
export type Actor = { readonly kind: 'anonymous' } | { readonly kind: 'operator' } | UserActor

export const anonymous: Actor = { kind: 'anonymous' }
export const operator: Actor = { kind: 'operator' }

/** The user whose things are the actor's own; null for who is no user. */
export function userIdOf(actor: Actor): number | null {
  return actor.kind === 'user' ? actor.id : null
}

/** The caller of a service that changes something, with the id of the request. A Fastify request is one. */
export interface Caller {
  readonly actor: Actor
  /** Id of the request in the log; absent for a caller that is no request, such as a message queue. */
  readonly id?: string
}

/** The fields with which every line of the log about a change starts. */
export function caller({ id, actor }: Caller) {
  return actor.kind === 'user'
    ? { reqId: id, user: actor.username, userId: actor.id }
    : { reqId: id, user: actor.kind }
}

/** Credentials of a user that are no longer honoured: of one session, of one API token, or of all earlier epochs. */
export interface Revocation {
  userId: number
  sessionId?: string | null
  tokenId?: number | null
  epoch?: number | null
}

export function isRevoked(actor: UserActor, { userId, sessionId, tokenId, epoch }: Revocation): boolean {
  if (actor.id !== userId) return false
  if (sessionId != null) return actor.sessionId === sessionId
  if (tokenId != null) return actor.tokenId === tokenId
  return epoch != null && actor.epoch < epoch
}
