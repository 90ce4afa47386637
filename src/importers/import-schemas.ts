import { Type } from 'typebox'

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
const time = { format: 'date-time' }

export const RunSchema = Type.Object(
  {
    run_id: Type.Integer(),
    importer: Type.String(),
    trigger: Type.String({ enum: ['schedule', 'manual'] }),
    state: Type.String({ enum: ['running', 'succeeded', 'failed'] }),
    started_at: Type.String(time),
    finished_at: Type.Union([Type.String(time), Type.Null()]),
    created_count: Type.Integer(),
    updated_count: Type.Integer(),
    skipped_count: Type.Integer(),
    error: Type.Union([Type.String(), Type.Null()]),
  },
  { title: 'ImportRun', examples: [run] },
)
export const RunListSchema = Type.Array(RunSchema, { examples: [[run]] })

const ImporterSchema = Type.Object(
  {
    name: Type.String(),
    source: Type.String(),
    interval_seconds: Type.Integer(),
    state: Type.String({ enum: ['idle', 'running'] }),
    next_run_at: Type.Union([Type.String(time), Type.Null()], {
      description: 'null while schedules are off',
    }),
    last_run: Type.Union([RunSchema, Type.Null()]),
  },
  { title: 'Importer' },
)
export const ImporterListSchema = Type.Array(ImporterSchema, { examples: [[importer]] })

/** The answer of POST /task-generator/run. */
export const GeneratedSchema = Type.Object(
  {
    message: Type.String(),
    tasks_created: Type.Integer(),
    tasks_updated: Type.Integer(),
    tasks_skipped: Type.Integer(),
    run_id: Type.Integer(),
  },
  { examples: [generated] },
)

export const NameParams = Type.Object({ name: Type.String({ examples: ['todos'] }) })

export const ListRunsSchema = Type.Object(
  { limit: Type.Integer({ minimum: 1, maximum: 1000, default: 100 }) },
  { additionalProperties: false },
)
