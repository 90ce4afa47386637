import type { FromSchema, JSONSchema } from 'json-schema-to-ts'
import { channels } from '../../events/event-types.ts'
import { pageFields } from '../../platform/http/page.ts'

const eventTypes = Object.values(channels).flat()

const urlField = {
  type: 'string',
  minLength: 1,
  maxLength: 2000,
  format: 'plain-text',
  description:
    'An http or https URL without a user or password. The host must have a public address unless `WEBHOOK_ALLOW` lists it',
  examples: ['https://example.com/taskwire'],
} as const
const typesField = {
  type: ['array', 'null'],
  items: { type: 'string', enum: eventTypes },
  minItems: 1,
  maxItems: 100,
  uniqueItems: true,
  description: 'Only events of these types; null: every type, including types of later releases',
  examples: [['task_created', 'task_updated']],
} as const
const descriptionField = {
  type: ['string', 'null'],
  maxLength: 500,
  format: 'plain-text',
  examples: ['To the chat of the team'],
} as const

const webhookExample = {
  id: 1,
  url: 'https://example.com/taskwire',
  types: ['task_created', 'task_updated'],
  description: 'To the chat of the team',
  enabled: true,
  disabled_reason: null,
  failing_since: null,
  old_secret_until: null,
  user_id: 1,
  created_at: '2025-12-15T12:00:31.168401Z',
  updated_at: null,
}
/** An example in the format of a secret; no webhook uses it. */
const SECRET = 'whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY='
const nullableTime = { type: ['string', 'null'], format: 'date-time' } as const
const nullableText = { type: ['string', 'null'] } as const

const answered = {
  id: { type: 'integer', minimum: 1 },
  url: { type: 'string' },
  types: { type: ['array', 'null'], items: { type: 'string' }, description: 'null: every type' },
  description: nullableText,
  enabled: { type: 'boolean' },
  disabled_reason: { ...nullableText, description: 'Reason why Taskwire disabled the webhook' },
  failing_since: { ...nullableTime, description: 'Time of the first failure since the last success' },
  old_secret_until: {
    ...nullableTime,
    description: 'Until then messages are also signed with the previous secret',
  },
  user_id: {
    type: ['integer', 'null'],
    description: 'The webhook receives the events that this user may read; null: all events',
  },
  created_at: { type: 'string', format: 'date-time' },
  updated_at: nullableTime,
} as const

export const WebhookSchema: JSONSchema = {
  type: 'object',
  required: Object.keys(answered),
  properties: answered,
  title: 'Webhook',
  examples: [webhookExample],
}

export const WebhookListSchema: JSONSchema = {
  type: 'array',
  items: WebhookSchema,
  examples: [[webhookExample]],
}

export const WebhookWithSecretSchema: JSONSchema = {
  type: 'object',
  required: [...Object.keys(answered), 'secret'],
  properties: {
    ...answered,
    secret: { type: 'string', description: 'Verifies the signatures. It is shown only in this response' },
  },
  title: 'WebhookWithSecret',
  examples: [{ ...webhookExample, secret: SECRET }],
}

export const CreateWebhookSchema = {
  type: 'object',
  required: ['url'],
  properties: { url: urlField, types: typesField, description: descriptionField },
  additionalProperties: false,
  examples: [{ url: 'https://example.com/taskwire', types: ['task_created', 'task_updated'] }],
} as const satisfies JSONSchema
export type CreateWebhook = FromSchema<typeof CreateWebhookSchema>

export const PatchWebhookSchema = {
  type: 'object',
  properties: {
    url: urlField,
    types: typesField,
    description: descriptionField,
    enabled: { type: 'boolean', description: 'true also resets `failing_since`' },
  },
  additionalProperties: false,
  description: 'Absent fields keep their value.',
  examples: [{ enabled: false }],
} as const satisfies JSONSchema
export type PatchWebhook = FromSchema<typeof PatchWebhookSchema>

export const webhookIdField = { type: 'integer', minimum: 1, maximum: 2_147_483_647, examples: [1] } as const

export const WebhookParams = {
  type: 'object',
  required: ['id'],
  properties: { id: webhookIdField },
  additionalProperties: false,
} as const satisfies JSONSchema

export const ListWebhooksSchema = {
  type: 'object',
  required: ['skip', 'limit'],
  properties: pageFields,
  additionalProperties: false,
} as const satisfies JSONSchema
