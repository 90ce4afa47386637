import { type Owned, scopeOf } from './access-scope.ts'
import type { Actor, Scope } from './actor.ts'
import { DomainError } from './errors.ts'

/**
 * The permission table, the one place where access to actions is decided. `who`:
 * - `owner`: the owner of the resource, and admins
 * - `everybody`: every user, because the resource has no owner
 * - `self`: a user, about their own account
 * - `session`: the same, but not by an API token, which must not outlive itself or open new doors
 * - `admin`: admins
 * The local operator may do everything that is not about an account of their own.
 */
const rules = {
  'task.create': { who: 'owner', scope: 'write' },
  'task.read': { who: 'owner', scope: 'read' },
  'task.change': { who: 'owner', scope: 'write' },
  'event.read': { who: 'owner', scope: 'read' },
  'webhook.read': { who: 'owner', scope: 'read' },
  'webhook.change': { who: 'owner', scope: 'write' },
  'currency.read': { who: 'everybody', scope: 'read' },
  'currency.change': { who: 'admin', scope: 'write' },
  'import.read': { who: 'admin', scope: 'read' },
  'import.run': { who: 'admin', scope: 'write' },
  'metrics.read': { who: 'admin', scope: 'read' },
  'user.read': { who: 'admin', scope: 'admin' },
  'user.change': { who: 'admin', scope: 'admin' },
  'account.read': { who: 'self', scope: 'read' },
  'account.change': { who: 'session', scope: 'write' },
} as const satisfies Record<
  string,
  { who: 'owner' | 'everybody' | 'self' | 'session' | 'admin'; scope: Scope }
>

export type Action = keyof typeof rules

/**
 * Throws `unauthenticated` or `forbidden` unless `actor` may do `action`, and, where a `resource` is
 * given, do it to that.
 */
export function authorize(actor: Actor, action: Action, resource?: Owned): void {
  const { who, scope } = rules[action]
  if (actor.kind === 'operator' && who !== 'self' && who !== 'session') return
  if (actor.kind !== 'user') throw unauthenticated(TOKEN_NEEDED)
  if (who === 'admin' && actor.role !== 'admin') throw forbidden('Only an admin may do this.')
  if (!actor.scopes.includes(scope)) throw forbidden(`The token lacks the scope "${scope}".`)
  if (who === 'session' && actor.sessionId === undefined) {
    throw forbidden('An API token cannot do this; log in.')
  }
  if (resource && !scopeOf(actor).allows(resource)) throw forbidden('It belongs to somebody else.')
}

/** The token of an Authorization header of the scheme Bearer (RFC 6750); undefined for any other. */
export function bearerToken(header: string | undefined): string | undefined {
  return header === undefined ? undefined : /^bearer +(\S+) *$/i.exec(header)?.[1]
}

/** The detail of a 401 for a request without a token. */
export const TOKEN_NEEDED =
  'A token is needed: send "Authorization: Bearer <token>", with one of POST /auth/login or of "taskwire token create".'

/** 401, with the challenge of RFC 6750. */
export function unauthenticated(detail: string): DomainError {
  return new DomainError('unauthenticated', detail, { headers: { 'www-authenticate': 'Bearer' } })
}

function forbidden(detail: string): DomainError {
  return new DomainError('forbidden', detail)
}
