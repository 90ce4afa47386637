import { validationError } from '../core/errors.ts'
import type { EventType } from './event-types.ts'

/** The cursor of a reader in the stream. Ids stay below 2^53. */
export const afterField = {
  type: 'integer',
  minimum: 0,
  description: 'The id of the last event you have: what came after it is told first',
  examples: [184_467],
} as const

export const typesField = {
  type: 'string',
  minLength: 1,
  maxLength: 500,
  description: 'Only events of these types, comma separated',
  examples: ['task_created,task_updated'],
} as const

/** Returns the types that `?types=` names; throws a validation error for one that this address does not deliver. */
export function typesIn(text: string | undefined, available: ReadonlySet<EventType>): ReadonlySet<EventType> {
  if (text === undefined) return available
  const names = text.split(',').map((name) => name.trim())
  const unknown = names.find((name) => !available.has(name as EventType))
  if (unknown !== undefined) {
    const message = `has "${unknown}"; it must be one of ${[...available].join(', ')}`
    throw validationError([{ path: 'query.types', message }])
  }
  return new Set(names as EventType[])
}
