import type { JSONSchema } from 'json-schema-to-ts'
import {
  type CreateTask,
  createTaskSchema,
  IdParams,
  type PatchTask,
  PatchTaskSchema,
  TaskSchema,
  taskExample,
} from './task-schemas.ts'

const MAX_OPERATIONS = 500
/**
 * Room for as many tasks with the longest descriptions in Latin letters. Reading what somebody made to be slow to
 * read takes a quarter of a second for each MiB, in which nobody else is served.
 */
export const BATCH_BODY_LIMIT = 6 * 1024 * 1024

export type Operation =
  | { op: 'create'; task: CreateTask }
  | { op: 'update'; id: number; version?: number; task: PatchTask }
  | { op: 'delete'; id: number; version?: number }

const target = {
  id: IdParams.properties.id,
  version: {
    type: 'integer',
    minimum: 1,
    maximum: 2_147_483_647,
    description: 'The version to change; 412 if it is another by now',
  },
} as const

const operation = (op: Operation['op'], required: string[], properties: object): JSONSchema => ({
  type: 'object',
  required: ['op', ...required],
  properties: { op: { const: op }, ...properties } as Record<string, JSONSchema>,
  additionalProperties: false,
  title: `${op[0]!.toUpperCase()}${op.slice(1)}Operation`,
})

/** The schema of a batch, with what the room of jobs says of `job`. */
export function batchSchema(job: JSONSchema): JSONSchema {
  const operations = [
    operation('create', ['task'], { task: createTaskSchema(job) }),
    operation('update', ['id', 'task'], { ...target, task: PatchTaskSchema }),
    operation('delete', ['id'], target),
  ]
  const schema = {
    failFast: true,
    type: 'object',
    required: ['operations'],
    properties: {
      operations: {
        type: 'array',
        minItems: 1,
        maxItems: MAX_OPERATIONS,
        items: {
          type: 'object',
          required: ['op'],
          properties: { op: { type: 'string', enum: ['create', 'update', 'delete'] } },
          // The validator picks one schema by this property and reports errors of that schema only.
          discriminator: { propertyName: 'op' },
          oneOf: operations,
        } as JSONSchema,
      },
    },
    additionalProperties: false,
    examples: [
      {
        operations: [
          { op: 'create', task: { title: 'Prepare report' } },
          { op: 'update', id: 1, task: { completed: true } },
          { op: 'delete', id: 2 },
        ],
      },
    ],
  }
  return schema as JSONSchema
}

export const BatchResultsSchema: JSONSchema = {
  type: 'object',
  required: ['results'],
  properties: {
    results: {
      type: 'array',
      items: {
        type: 'object',
        required: ['op', 'id'],
        properties: {
          op: { type: 'string', enum: ['create', 'update', 'delete'] },
          id: { type: 'integer', minimum: 1 },
          task: TaskSchema,
        },
        description: '`task`, as it is after the operation, unless that has deleted it',
      },
    },
  },
  title: 'BatchResults',
  examples: [
    {
      results: [
        { op: 'create', id: 1, task: taskExample },
        { op: 'delete', id: 2 },
      ],
    },
  ],
}
