import { createHash } from 'node:crypto'
import type { TaskFilter } from './task-filter.ts'
import { type CursorValues, isCursorValues, type SortKey } from './task-sort.ts'

/** A page of one list: what lies behind a place in its order, or before it. */
export interface Cursor {
  sort: SortKey[]
  place: CursorValues
  backwards: boolean
}

/**
 * The text of a cursor. Its checksum covers the list that it is of too, the user's own view included,
 * so that it is of no use for another one. It is no secret and needs none: what a cursor says only
 * moves the beginning of a page within what the filter gives anyway.
 */
export function writeCursor(filter: TaskFilter, { sort, place, backwards }: Cursor): string {
  const payload = Buffer.from(JSON.stringify([backwards ? 1 : 0, ...place])).toString('base64url')
  return `${payload}.${checksum(filter, sort, payload)}`
}

/** The cursor that a text is, of the list of the filter in one of the orders; undefined if it is none. */
export function readCursor(filter: TaskFilter, sorts: SortKey[][], text: string): Cursor | undefined {
  const [payload = '', sum] = text.split('.')
  const sort = sorts.find((candidate) => checksum(filter, candidate, payload) === sum)
  if (!sort) return undefined
  const [direction, ...place] = parsed(payload)
  if ((direction !== 0 && direction !== 1) || !isCursorValues(sort, place)) return undefined
  return { sort, place, backwards: direction === 1 }
}

function parsed(payload: string): unknown[] {
  try {
    const value: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString())
    return Array.isArray(value) ? value : []
  } catch {
    return []
  }
}

// Cursors of the release before listed the reader among the users: theirs stay valid.
function checksum({ scope, users, ...rest }: TaskFilter, sort: SortKey[], payload: string): string {
  const filter = { users: scope.isUnlimited ? users : [...new Set([scope.parameter, ...users])], ...rest }
  return createHash('sha256')
    .update(JSON.stringify([filter, sort, payload]))
    .digest('base64url')
    .slice(0, 16)
}
