import type { JSONSchema } from 'json-schema-to-ts'
import { IdParams } from '../tasks/index.ts'

const nameField = {
  type: 'string',
  minLength: 1,
  maxLength: 100,
  normalize: 'trim',
  format: 'plain-text',
  description: 'A name that says what the feed is for',
} as const

export const CreateFeedSchema = {
  type: 'object',
  required: ['name'],
  properties: {
    name: nameField,
  },
  additionalProperties: false,
  examples: [{ name: 'Phone' }],
} as const satisfies JSONSchema

export const FeedParams = IdParams

const example = {
  id: 1,
  name: 'Phone',
  created_at: '2025-12-15T12:00:31.168401Z',
  last_used_at: null,
}
const time = { format: 'date-time', examples: [example.created_at] } as const
const properties: Record<string, JSONSchema> = {
  id: { type: 'integer', minimum: 1 },
  name: { type: 'string' },
  created_at: { type: 'string', ...time },
  last_used_at: { type: ['string', 'null'], ...time },
}
const FeedSchema: JSONSchema = {
  type: 'object',
  required: Object.keys(properties),
  properties,
  title: 'CalendarFeed',
  examples: [example],
}

export const FeedListSchema: JSONSchema = { type: 'array', items: FeedSchema, examples: [[example]] }

export const NewFeedSchema: JSONSchema = {
  type: 'object',
  required: [...Object.keys(properties), 'url'],
  properties: {
    ...properties,
    url: { type: 'string', description: 'URL for a calendar program; shown only once' },
  },
  title: 'NewCalendarFeed',
  examples: [{ ...example, url: 'http://localhost:8000/tasks.ics?token=twf_3q2-7w' }],
}

export const CalendarQuery = {
  type: 'object',
  properties: {
    token: {
      type: 'string',
      minLength: 1,
      maxLength: 100,
      description: 'Token of a calendar feed, instead of a bearer token',
    },
  },
  additionalProperties: false,
} as const satisfies JSONSchema
