import { type AccessScope, scopeOf } from '../../src/core/access-scope.ts'
import { operator } from '../../src/core/actor.ts'

/** Returns the scope of the user with this id, who is no admin; without an id, the scope that has no limit. */
export function scopeOfUser(id?: number): AccessScope {
  if (id === undefined) return scopeOf(operator)
  return scopeOf({ kind: 'user', id, username: `user-${id}`, role: 'user', scopes: ['read'], epoch: 0 })
}
