import type { FromSchema, JSONSchema } from 'json-schema-to-ts'
import { isDay } from '../../core/moment.ts'
import { isTimeZone } from './time-zone.ts'

/** Formats of the analytics schemas, beyond JSON Schema. */
export const analyticsFormats = {
  day: { is: isDay, message: 'must be a day of the calendar such as 2025-12-15' },
  'time-zone': { is: isTimeZone, message: 'must be a time zone of the IANA database such as Europe/Moscow' },
}

export const AnalyticsQuerySchema = {
  type: 'object',
  required: ['tz'],
  properties: {
    start_date: {
      type: 'string',
      format: 'day',
      description: 'First day of the period',
      examples: ['2025-05-01'],
    },
    end_date: {
      type: 'string',
      format: 'day',
      description: 'Last day of the period',
      examples: ['2025-05-24'],
    },
    tz: {
      type: 'string',
      format: 'time-zone',
      maxLength: 100,
      default: 'UTC',
      description: 'Time zone in which days begin and end, a name of the IANA database',
      examples: ['Europe/Moscow'],
    },
  },
  additionalProperties: false,
} as const satisfies JSONSchema
export type AnalyticsQuery = FromSchema<typeof AnalyticsQuerySchema>

const count = { type: 'integer', minimum: 0 } as const

export const AnalyticsSchema: JSONSchema = {
  type: 'object',
  required: ['by_status', 'by_user', 'by_day', 'total', 'median_seconds_to_done'],
  properties: {
    by_status: {
      type: 'object',
      additionalProperties: count,
      description: 'Tasks created in the period, by their current status',
    },
    by_user: {
      type: 'object',
      additionalProperties: count,
      description: 'Tasks created in the period, by owner; `(nobody)` counts tasks without an owner',
    },
    by_day: {
      type: 'array',
      items: {
        type: 'object',
        required: ['date', 'created', 'completed'],
        properties: { date: { type: 'string', format: 'day' }, created: count, completed: count },
      },
      description: 'Days of the period on which a task was created or completed',
    },
    total: { ...count, description: 'Number of tasks created in the period' },
    median_seconds_to_done: {
      type: ['number', 'null'],
      minimum: 0,
      description:
        'Mean time from creation to completion of the tasks completed in the period, except those created as done',
    },
  },
  title: 'Analytics',
  examples: [
    {
      by_status: { todo: 10, in_progress: 5, done: 3, failed: 0 },
      by_user: { user1: 12, user2: 6 },
      by_day: [
        { date: '2025-05-01', created: 11, completed: 1 },
        { date: '2025-05-02', created: 7, completed: 2 },
      ],
      total: 18,
      median_seconds_to_done: 86_400.5,
    },
  ],
}
