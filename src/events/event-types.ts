import type { JSONSchema } from 'json-schema-to-ts'

/** The event types by the stream that carries them. `/ws` carries all of them. */
export const channels = {
  tasks: [
    'task_created',
    'task_updated',
    'task_deleted',
    'background_task_completed',
    'background_task_failed',
  ],
  currencies: ['currency_created', 'currency_updated', 'currency_deleted', 'add_data_from_remote_source'],
} as const

export type EventType = (typeof channels)[keyof typeof channels][number]

/** Types whose events have the audience `public`: every reader who asks for them receives them. */
export const publicTypes: ReadonlySet<EventType> = new Set(channels.currencies)

/** The readers of an event: every reader, one user and the admins, or the admins only. `project:<id>` can be added. */
export type Audience = 'public' | 'admins' | `user:${number}`

/** A row of the outbox as the relay reads it. */
export interface StoredEvent {
  id: number
  type: EventType
  /** ISO 8601, UTC, microseconds */
  at: string
  audience: Audience
  /** The data that the writer stored; a renderer turns it into the data that clients read. */
  data: unknown
}

/** Turns the stored data of one event type into the `data` of its envelope. */
export type Renderer = (stored: never) => object
export type Renderers = Record<EventType, Renderer>

/** The envelope as text. It is built once an event, whatever the number of its readers. */
export function renderEnvelope(event: StoredEvent, renderers: Renderers): string {
  const data = renderers[event.type](event.data as never)
  return JSON.stringify({ id: String(event.id), type: event.type, at: event.at, data })
}

/** The envelope, for the documentation. */
export const EnvelopeSchema: JSONSchema = {
  type: 'object',
  required: ['id', 'type', 'at', 'data'],
  properties: {
    id: { type: 'string', description: 'Decimal; grows with each event' },
    type: { type: 'string', enum: Object.values(channels).flat() },
    at: { type: 'string', format: 'date-time' },
    data: { type: 'object', additionalProperties: true },
  },
  title: 'Event',
  examples: [{ id: '184467', type: 'task_deleted', at: '2025-12-15T12:00:31.168401Z', data: { task_id: 1 } }],
}
