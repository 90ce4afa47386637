import type { JSONSchema } from 'json-schema-to-ts'

/** The stored data of these events is published unchanged. */
export const importEventRenderers = {
  background_task_completed: (data: object) => data,
  background_task_failed: (data: object) => data,
}

const importer = { type: 'string', examples: ['todos'] } as const
const count = { type: 'integer', minimum: 0 } as const

/** Schemas of the `data` of these events, for the documentation. */
export const importEventSchemas: Record<keyof typeof importEventRenderers, JSONSchema> = {
  background_task_completed: {
    type: 'object',
    required: ['created_count', 'updated_count', 'skipped_count', 'importer', 'run_id'],
    properties: {
      created_count: count,
      updated_count: count,
      skipped_count: count,
      importer,
      run_id: { type: 'integer' },
    },
    examples: [{ created_count: 200, updated_count: 0, skipped_count: 0, importer: 'todos', run_id: 1 }],
  },
  background_task_failed: {
    type: 'object',
    required: ['importer', 'run_id', 'error'],
    properties: { importer, run_id: { type: 'integer' }, error: { type: 'string' } },
    examples: [{ importer: 'todos', run_id: 1, error: 'the source answered 503' }],
  },
}
