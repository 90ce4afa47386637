import type { JSONSchema } from 'json-schema-to-ts'

const run = {
  run_id: 1,
  importer: 'todos',
  trigger: 'manual',
  state: 'succeeded',
  started_at: '2025-12-15T12:00:31.168401Z',
  finished_at: '2025-12-15T12:00:31.502177Z',
  created_count: 200,
  updated_count: 0,
  skipped_count: 0,
  error: null,
}
const importer = {
  name: 'todos',
  source: 'https://jsonplaceholder.typicode.com/todos',
  interval_seconds: 300,
  state: 'idle',
  next_run_at: '2025-12-15T12:05:31.000000Z',
  last_run: run,
}
const generated = {
  message: 'Background task executed successfully',
  tasks_created: 200,
  tasks_updated: 0,
  tasks_skipped: 0,
  run_id: 1,
}
const text = { type: 'string' } as const
const integer = { type: 'integer' } as const
const time = { type: 'string', format: 'date-time' } as const
const nullableTime = { type: ['string', 'null'], format: 'date-time' } as const

export const ImportRunSchema: JSONSchema = {
  type: 'object',
  required: [
    'run_id',
    'importer',
    'trigger',
    'state',
    'started_at',
    'finished_at',
    'created_count',
    'updated_count',
    'skipped_count',
    'error',
  ],
  properties: {
    run_id: integer,
    importer: text,
    trigger: { type: 'string', enum: ['schedule', 'manual'] },
    state: { type: 'string', enum: ['running', 'succeeded', 'failed'] },
    started_at: time,
    finished_at: nullableTime,
    created_count: integer,
    updated_count: integer,
    skipped_count: integer,
    error: { type: ['string', 'null'] },
  },
  title: 'ImportRun',
  examples: [run],
}

export const ImportRunListSchema: JSONSchema = { type: 'array', items: ImportRunSchema, examples: [[run]] }

const ImporterSchema: JSONSchema = {
  type: 'object',
  required: ['name', 'source', 'interval_seconds', 'state', 'next_run_at', 'last_run'],
  properties: {
    name: text,
    source: text,
    interval_seconds: integer,
    state: { type: 'string', enum: ['idle', 'running'] },
    next_run_at: {
      ...nullableTime,
      description: 'null if no run is scheduled, for example with `IMPORTS=off`',
    },
    last_run: { anyOf: [ImportRunSchema, { type: 'null' }] },
  },
  title: 'Importer',
}

export const ImporterListSchema: JSONSchema = { type: 'array', items: ImporterSchema, examples: [[importer]] }

/** Response of `POST /task-generator/run`. */
export const GeneratedSchema: JSONSchema = {
  type: 'object',
  description: 'The result of the run',
  required: ['message', 'tasks_created', 'tasks_updated', 'tasks_skipped', 'run_id'],
  properties: {
    message: text,
    tasks_created: integer,
    tasks_updated: integer,
    tasks_skipped: integer,
    run_id: integer,
  },
  examples: [generated],
}

/** Response of `POST /tasks/run`. */
export const StartedSchema: JSONSchema = {
  type: 'object',
  description: 'The run has started',
  required: ['status', 'run_id'],
  properties: { status: { type: 'string', const: 'started' }, run_id: integer },
  examples: [{ status: 'started', run_id: 1 }],
}

export const NameParams = {
  type: 'object',
  required: ['name'],
  properties: { name: { type: 'string', examples: ['todos'] } },
  additionalProperties: false,
} as const satisfies JSONSchema
