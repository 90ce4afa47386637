import { validationError } from '../core/errors.ts'
import type { EventType } from './event-types.ts'

/** The place in the stream from which to go on. Ids stay below 2^53. */
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

/** The types that `?types=` names, of those that the address tells; throws a validation error for any other. */
export function typesIn(text: string | undefined, told: ReadonlySet<EventType>): ReadonlySet<EventType> {
  if (text === undefined) return told
  const names = text.split(',').map((name) => name.trim())
  const unknown = names.find((name) => !told.has(name as EventType))
  if (unknown !== undefined) {
    const message = `has "${unknown}", which is not told here; there are ${[...told].join(', ')}`
    throw validationError([{ path: 'query.types', message }])
  }
  return new Set(names as EventType[])
}
