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
    'http or https, at a public address unless `WEBHOOK_ALLOW` lists the host; no user or password',
  examples: ['https://example.com/taskwire'],
} as const
const typesField = {
  type: ['array', 'null'],
  items: { type: 'string', enum: eventTypes },
  minItems: 1,
  maxItems: 100,
  uniqueItems: true,
  description: 'Only events of these types; null: of every type, also of those to come',
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
/** As long as a secret, and of no webhook. */
const SECRET = 'whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY='
const nullableTime = { type: ['string', 'null'], format: 'date-time' } as const
const nullableText = { type: ['string', 'null'] } as const

const answered = {
  id: { type: 'integer', minimum: 1 },
  url: { type: 'string' },
  types: { type: ['array', 'null'], items: { type: 'string' }, description: 'null: every type' },
  description: nullableText,
  enabled: { type: 'boolean' },
  disabled_reason: { ...nullableText, description: 'Why it was disabled, where nobody asked for it' },
  failing_since: { ...nullableTime, description: 'The first failure after the last success' },
  old_secret_until: { ...nullableTime, description: 'Until then the secret before this one signs along' },
  user_id: { type: ['integer', 'null'], description: 'Whose events it gets; null: everybody’s' },
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
    secret: { type: 'string', description: 'Shown here and nowhere else; checks the signatures' },
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
    enabled: { type: 'boolean', description: 'true also forgets what failed before' },
  },
  additionalProperties: false,
  description: 'Absent: left as it is.',
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
