import type { FromSchema, JSONSchema } from 'json-schema-to-ts'
import { webhookIdField } from './webhook-schemas.ts'

const deliveryExample = {
  id: 1,
  webhook_id: 1,
  event_id: '184467',
  type: 'task_created',
  state: 'waiting',
  attempts: 1,
  response_status: 503,
  error: 'status 503',
  created_at: '2025-12-15T12:00:31.168401Z',
  last_attempt_at: '2025-12-15T12:00:31.201377Z',
  next_attempt_at: '2025-12-15T12:00:36.311902Z',
  finished_at: null,
}
const nullableTime = { type: ['string', 'null'], format: 'date-time' } as const

const fields = {
  id: { type: 'integer', minimum: 1 },
  webhook_id: { type: 'integer', minimum: 1 },
  event_id: { type: 'string', description: 'Sent as `webhook-id`, the same in every attempt' },
  type: { type: 'string' },
  state: { type: 'string', enum: ['waiting', 'delivered', 'failed'] },
  attempts: { type: 'integer', minimum: 0 },
  response_status: {
    type: ['integer', 'null'],
    description: 'Status of the last attempt; null: no response',
  },
  error: { type: ['string', 'null'], description: 'Error of the last attempt' },
  created_at: { type: 'string', format: 'date-time' },
  last_attempt_at: nullableTime,
  next_attempt_at: { ...nullableTime, description: 'null: no further attempt' },
  finished_at: nullableTime,
} as const

export const DeliverySchema: JSONSchema = {
  type: 'object',
  required: Object.keys(fields),
  properties: fields,
  title: 'WebhookDelivery',
  examples: [deliveryExample],
}

export const DeliveryListSchema: JSONSchema = {
  type: 'array',
  items: DeliverySchema,
  examples: [[deliveryExample]],
}

export const DeliveryWithEventSchema: JSONSchema = {
  type: 'object',
  required: [...Object.keys(fields), 'event'],
  properties: {
    ...fields,
    event: {
      type: ['object', 'null'],
      additionalProperties: true,
      description: 'The event that is sent; null if you may no longer read it',
    },
  },
  title: 'WebhookDeliveryWithEvent',
  examples: [
    {
      ...deliveryExample,
      type: 'task_deleted',
      event: { id: '184467', type: 'task_deleted', at: '2025-12-15T12:00:31.168401Z', data: { task_id: 1 } },
    },
  ],
}

const deliveryId = { type: 'integer', minimum: 1, maximum: Number.MAX_SAFE_INTEGER, examples: [1] } as const

export const DeliveryParams = {
  type: 'object',
  required: ['id', 'delivery'],
  properties: { id: webhookIdField, delivery: deliveryId },
  additionalProperties: false,
} as const satisfies JSONSchema

export const ListDeliveriesSchema = {
  type: 'object',
  required: ['limit'],
  properties: {
    before: {
      ...deliveryId,
      description: 'Only deliveries with a smaller id. `Link` contains it for the next page',
    },
    limit: { type: 'integer', minimum: 1, maximum: 1000, default: 100 },
    state: { type: 'string', enum: ['waiting', 'delivered', 'failed'] },
  },
  additionalProperties: false,
} as const satisfies JSONSchema
export type ListDeliveries = FromSchema<typeof ListDeliveriesSchema>
