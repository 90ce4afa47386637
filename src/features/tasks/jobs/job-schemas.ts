import type { JSONSchema } from 'json-schema-to-ts'

const integer = { type: 'integer', minimum: 0 } as const
const time = { format: 'date-time', examples: ['2025-12-15T12:00:31.168401Z'] } as const

const run = {
  number: 2,
  attempt: 2,
  state: 'succeeded',
  worker: 'tasks-1:4711',
  started_at: '2025-12-15T12:00:31.168401Z',
  finished_at: '2025-12-15T12:00:31.502177Z',
  error: null,
}

const RunSchema: JSONSchema = {
  type: 'object',
  required: ['number', 'attempt', 'state', 'worker', 'started_at', 'finished_at', 'error'],
  properties: {
    number: { ...integer, description: 'Counts all runs of the task' },
    attempt: { ...integer, description: 'Begins anew when the job is retried by somebody' },
    state: {
      type: 'string',
      enum: ['running', 'succeeded', 'failed', 'cancelled', 'released', 'lost'],
      description:
        'released: given back unfinished by a worker that ended, which is no attempt; lost: its worker gave no more sign of life',
    },
    worker: { type: 'string', description: 'Host and process' },
    started_at: { type: 'string', ...time },
    finished_at: { type: ['string', 'null'], ...time },
    error: { type: ['string', 'null'] },
  },
  title: 'TaskRun',
  examples: [run],
}

export const TaskRunListSchema: JSONSchema = { type: 'array', items: RunSchema, examples: [[run]] }

export const QueueStatisticsSchema: JSONSchema = {
  type: 'object',
  required: ['depth', 'running', 'failed', 'oldest', 'per_minute'],
  properties: {
    depth: { ...integer, description: 'Queued, those included that wait for their next attempt' },
    running: integer,
    failed: integer,
    oldest: {
      type: ['string', 'null'],
      ...time,
      description: 'Since when the job waits that is due longest',
    },
    per_minute: {
      type: 'object',
      required: ['succeeded', 'failed'],
      properties: { succeeded: integer, failed: integer },
      description: 'Runs that ended within the last minute',
    },
  },
  title: 'QueueFigures',
  examples: [
    {
      depth: 3,
      running: 4,
      failed: 1,
      oldest: '2025-12-15T12:00:31.168401Z',
      per_minute: { succeeded: 240, failed: 2 },
    },
  ],
}
