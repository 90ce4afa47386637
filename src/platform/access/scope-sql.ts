import sql, { empty, raw, type Sql } from 'sql-template-tag'
import type { AccessScope } from '../../core/access-scope.ts'

/**
 * The condition of a prepared statement that a row is within a scope. `parameter` is the placeholder, such as
 * `$1`, that is given `scope.parameter`; `owner` is the row's column of its owner.
 */
export function scopeCondition(parameter: `$${number}`, owner: string): string {
  return `(${parameter}::integer IS NULL OR ${owner} = ${parameter})`
}

/** The same condition for a statement that is put together for each call; empty for an unlimited scope. */
export function scopeFilter(scope: AccessScope, owner: string): Sql {
  return scope.isUnlimited ? empty : sql`${raw(owner)} = ${scope.parameter}`
}

/**
 * The present scope of the owner of a stored subscription, such as a webhook, as a value in SQL: what
 * `scope.parameter` would be. `user` is the alias of the owner's row; without an owner it is the operator's.
 */
export function storedScope(owner: string, user: string): string {
  return `CASE WHEN ${owner} IS NULL OR ${user}.role = 'admin' THEN NULL ELSE ${owner} END`
}
