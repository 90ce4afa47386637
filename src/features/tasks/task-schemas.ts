import type { FromSchema, JSONSchema } from 'json-schema-to-ts'
import { WeatherSchema, weatherExample } from '../weather/index.ts'
import type { Task } from './task.ts'
import { jobStates } from './task-job.ts'
import { priorities, statuses } from './task-status.ts'

const titleField = {
  type: 'string',
  minLength: 1,
  maxLength: 100,
  normalize: 'trim',
  format: 'plain-text',
  description: 'Counted after trimming',
  examples: ['Prepare report'],
} as const
const descriptionField = { type: ['string', 'null'], maxLength: 10_000, format: 'plain-text' } as const
export const cityText = {
  minLength: 1,
  maxLength: 100,
  normalize: 'trim',
  format: 'plain-text',
  examples: ['Moscow'],
} as const
const cityField = { type: ['string', 'null'], ...cityText } as const
export const statusField = {
  type: 'string',
  enum: statuses,
  normalize: 'status',
  description: 'Also taken, in any letter case: New, In Progress, Completed, Failed',
} as const
const completedField = { type: 'boolean', description: 'The same as status == done' } as const
export const priorityField = { type: 'string', enum: priorities } as const
const time = { format: 'date-time', examples: ['2025-12-15T12:00:31.168401Z'] } as const
const dueField = { type: ['string', 'null'], ...time, normalize: 'utc' } as const
export const labelField = {
  type: 'string',
  minLength: 1,
  maxLength: 50,
  normalize: 'trim',
  format: 'plain-text',
  examples: ['home'],
} as const
const labelsField = {
  type: 'array',
  items: labelField,
  maxItems: 20,
  description: 'In this order; of equal ones the first counts',
} as const

/** Fields of a body, without the list of required ones. */
const fields = {
  title: titleField,
  description: descriptionField,
  status: statusField,
  completed: completedField,
  priority: priorityField,
  due_at: dueField,
  labels: labelsField,
  city: cityField,
} as const

export const taskIdField = { type: 'integer', minimum: 1, maximum: 2_147_483_647 } as const
const moveField = {
  type: 'object',
  minProperties: 1,
  maxProperties: 1,
  properties: {
    before: { ...taskIdField, description: 'Directly before this task' },
    after: { ...taskIdField, description: 'Directly after this task' },
    at: { type: 'string', enum: ['first', 'last'], description: 'Before or after all others' },
  },
  additionalProperties: false,
  description: 'Moves the task in the manual order: one of `before`, `after` and `at`',
  examples: [{ at: 'first' }],
} as const satisfies JSONSchema
export type Move = FromSchema<typeof moveField>

export const taskExample = {
  id: 1,
  title: 'Prepare report',
  description: 'Collect monthly data',
  status: 'todo',
  completed: false,
  priority: 'high',
  due_at: '2025-12-31T09:00:00.000000Z',
  labels: ['home'],
  position: '80000001i',
  city: 'Moscow',
  weather: weatherExample,
  user_id: null,
  source: null,
  job: null,
  version: 1,
  created_at: '2025-12-15T12:00:31.168401Z',
  updated_at: null,
}

const JobSchema: JSONSchema = {
  type: ['object', 'null'],
  required: ['type', 'input', 'state', 'attempts', 'max_attempts', 'due_at', 'result', 'error'],
  properties: {
    type: { type: 'string', examples: ['http'] },
    input: { type: 'object', additionalProperties: true, description: 'Without its secrets' },
    state: { type: 'string', enum: jobStates },
    attempts: { type: 'integer', minimum: 0, description: 'Begun since it was last queued' },
    max_attempts: { type: 'integer', minimum: 1 },
    due_at: { type: 'string', ...time, description: 'When it is, or was last, to be run' },
    result: { description: 'What the job type gives; at most 16 KiB' },
    error: { type: ['string', 'null'], description: 'Of the last attempt' },
  },
  description: 'null: a task of people, which no worker touches',
}

const taskProperties = {
  id: { type: 'integer', minimum: 1 },
  title: { type: 'string' },
  description: { type: ['string', 'null'] },
  status: { type: 'string', examples: ['todo'] },
  completed: completedField,
  priority: priorityField,
  due_at: { type: ['string', 'null'], ...time },
  labels: { type: 'array', items: { type: 'string' } },
  position: {
    type: 'string',
    description: 'Its place in the manual order, which is that of these keys by their bytes; `sort=position`',
  },
  city: { type: ['string', 'null'] },
  weather: WeatherSchema,
  user_id: { type: ['integer', 'null'] },
  source: { type: ['string', 'null'], description: 'The importer’s source it came from' },
  job: JobSchema,
  version: { type: 'integer', minimum: 1, description: 'Grows with each change; the ETag' },
  created_at: { type: 'string', ...time },
  updated_at: { type: ['string', 'null'], ...time },
} as const satisfies Record<keyof Task, JSONSchema>

export const TaskSchema: JSONSchema = {
  type: 'object',
  required: Object.keys(taskProperties),
  properties: {
    ...taskProperties,
    deleted_at: { type: 'string', ...time, description: 'Only of those in the trash, where they are listed' },
  },
  title: 'Task',
  examples: [taskExample],
}

export const TaskListSchema: JSONSchema = { type: 'array', items: TaskSchema, examples: [[taskExample]] }

export const CreateTaskSchema = {
  type: 'object',
  required: ['title'],
  properties: {
    ...fields,
    job: {
      type: 'object',
      required: ['type'],
      properties: {
        type: { type: 'string' },
        input: { type: 'object', additionalProperties: true },
        max_attempts: { type: 'integer' },
      },
      additionalProperties: false,
    },
  },
  additionalProperties: false,
  examples: [
    { title: 'Prepare report', description: 'Collect monthly data', city: 'Moscow' },
    { title: 'Water the plants', priority: 'high', due_at: '2025-12-31T09:00:00Z', labels: ['home'] },
    { title: 'Try it', job: { type: 'noop', input: { duration_ms: 1000 } } },
  ],
} as const satisfies JSONSchema
export type CreateTask = FromSchema<typeof CreateTaskSchema>

/** CreateTaskSchema with what the room of jobs says of them. */
export function createTaskSchema(job: JSONSchema): typeof CreateTaskSchema {
  const properties = { ...CreateTaskSchema.properties, job } as typeof CreateTaskSchema.properties
  return { ...CreateTaskSchema, properties }
}

/** The same for messages, of which every field may be absent. */
export function taskMessageSchema(job: JSONSchema): JSONSchema {
  return { ...createTaskSchema(job), required: [] }
}

/** The task that a POST without a body creates. */
export const UNTITLED: CreateTask = { title: 'Untitled task', job: { type: 'noop' } }

export const PatchTaskSchema = {
  type: 'object',
  properties: { ...fields, position: moveField },
  additionalProperties: false,
  description: 'Absent: left as it is. null: cleared.',
  examples: [{ completed: true }, { status: 'in_progress', position: { at: 'first' } }],
} as const satisfies JSONSchema
export type PatchTask = FromSchema<typeof PatchTaskSchema>

export const PutTaskSchema = {
  type: 'object',
  required: ['title'],
  properties: fields,
  additionalProperties: false,
  description: 'Replaces all of them; what is absent is cleared. The task keeps its position.',
  examples: [{ title: 'Prepare report', description: null, status: 'in_progress' }],
} as const satisfies JSONSchema

export const IdParams = {
  type: 'object',
  required: ['id'],
  properties: { id: { ...taskIdField, examples: [1] } },
  additionalProperties: false,
} as const satisfies JSONSchema
