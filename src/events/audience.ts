import type { AccessScope } from '../core/access-scope.ts'
import { type Audience, type EventType, publicTypes } from './event-types.ts'

/** Returns the audience of an event about a resource of that user; null: of nobody in particular. */
export function audienceOf(type: EventType, userId: number | null): Audience {
  if (publicTypes.has(type)) return 'public'
  return userId === null ? 'admins' : `user:${userId}`
}

/** Whether a reader with this scope may receive an event for this audience. `mayReceiveSql` decides alike. */
export function mayReceive(scope: AccessScope, audience: Audience): boolean {
  return scope.isUnlimited || audience === 'public' || audience === scope.key
}

/** The same decision in SQL; `scope` is a value as `scope.parameter` gives it, or as `storedScope` computes it. */
export function mayReceiveSql(scope: string, audience: string): string {
  return `((${scope})::integer IS NULL OR ${audience} IN ('public', 'user:' || (${scope})::integer))`
}

/** The audience that a statement writes with an event about a resource of the user in `owner`. Not for public types. */
export function audienceOfUser(owner: string): string {
  return `coalesce('user:' || ${owner}, 'admins')`
}

/** The audience that a statement writes with an event of a public type. */
export const PUBLIC_AUDIENCE = `'public'`

/** The audience that a statement writes with an event about what belongs to nobody in particular. */
export const ADMINS_AUDIENCE = `'admins'`

/** The words of the index on events of public types, so that it is used. */
export const HAS_PUBLIC_TYPE = hasPublicType('type')

/** The audience of a row of `events`. */
export const EVENT_AUDIENCE = storedAudience({ audience: 'audience', type: 'type', userId: 'user_id' })

/**
 * The audience of a stored row. The release before this column writes no audience, also while it still runs
 * beside this one: then it follows from the type and the user.
 */
export function storedAudience(columns: { audience: string; type: string; userId: string }): string {
  const { audience, type, userId } = columns
  return `coalesce(${audience}, CASE WHEN ${hasPublicType(type)} THEN 'public' ELSE ${audienceOfUser(userId)} END)`
}

/** The user of an audience in SQL, which the release before this column reads; null if it is no single user's. */
export function userOfAudience(audience: string): string {
  return `substring(${audience} FROM '^user:([0-9]+)$')::integer`
}

function hasPublicType(column: string): string {
  return `${column} IN (${Array.from(publicTypes, (type) => `'${type}'`).join(', ')})`
}
