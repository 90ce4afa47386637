export type Role = 'user' | 'admin'
export type Scope = 'read' | 'write' | 'admin'

/** A user who proved who they are, by an access token of a session or by an API token. */
export interface UserActor {
  readonly kind: 'user'
  readonly id: number
  readonly username: string
  readonly role: Role
  /** What the credential allows; an access token allows all that the role does. */
  readonly scopes: readonly Scope[]
  /** The session whose access token it is; undefined for an API token. */
  readonly sessionId?: string
  /** The API token it is; undefined for an access token. */
  readonly tokenId?: number
}

/** Who calls. The operator is whoever calls without a token while access is open. */
export type Actor = { readonly kind: 'anonymous' } | { readonly kind: 'operator' } | UserActor

export const anonymous: Actor = { kind: 'anonymous' }
export const operator: Actor = { kind: 'operator' }

/** The actor's name for the log. */
export function actorName(actor: Actor): string {
  return actor.kind === 'user' ? actor.username : actor.kind
}
