import { type Static, Type } from 'typebox'
import { statuses } from './task.ts'

const titleField = Type.String({
  minLength: 1,
  maxLength: 100,
  normalize: 'trim',
  format: 'plain-text',
  description: 'Counted after trimming',
  examples: ['Prepare report'],
})
const descriptionField = Type.Union([Type.String({ maxLength: 10_000, format: 'plain-text' }), Type.Null()])
const cityField = Type.Union([
  Type.String({
    minLength: 1,
    maxLength: 100,
    normalize: 'trim',
    format: 'plain-text',
    examples: ['Moscow'],
  }),
  Type.Null(),
])
const statusField = Type.String({
  enum: [...statuses],
  normalize: 'status',
  description: 'Also taken, in any letter case: New, In Progress, Completed, Failed',
})
const completedField = Type.Boolean({ description: 'The same as status == done' })

const nullable = <T extends ReturnType<typeof Type.String | typeof Type.Integer>>(schema: T) =>
  Type.Union([schema, Type.Null()])
const time = { format: 'date-time', examples: ['2025-12-15T12:00:31.168401Z'] }

const example = {
  id: 1,
  title: 'Prepare report',
  description: 'Collect monthly data',
  status: 'todo',
  completed: false,
  city: 'Moscow',
  weather: null,
  user_id: null,
  source: null,
  job: null,
  version: 1,
  created_at: '2025-12-15T12:00:31.168401Z',
  updated_at: null,
}

export const TaskSchema = Type.Object(
  {
    id: Type.Integer({ minimum: 1 }),
    title: Type.String(),
    description: nullable(Type.String()),
    status: Type.String({ examples: ['todo'] }),
    completed: completedField,
    city: nullable(Type.String()),
    weather: Type.Union([Type.Object({}, { additionalProperties: true }), Type.Null()]),
    user_id: nullable(Type.Integer()),
    source: nullable(Type.String({ description: 'The importer’s source it came from' })),
    job: Type.Null(),
    version: Type.Integer({ minimum: 1, description: 'Grows with each change; the ETag' }),
    created_at: Type.String(time),
    updated_at: nullable(Type.String(time)),
  },
  {
    title: 'Task',
    examples: [example],
  },
)

export const TaskListSchema = Type.Array(TaskSchema, { examples: [[example]] })

const closed = { additionalProperties: false }

export const CreateTaskSchema = Type.Object(
  {
    title: titleField,
    description: Type.Optional(descriptionField),
    status: Type.Optional(statusField),
    completed: Type.Optional(completedField),
    city: Type.Optional(cityField),
  },
  { ...closed, examples: [{ title: 'Prepare report', description: 'Collect monthly data', city: 'Moscow' }] },
)
export type CreateTask = Static<typeof CreateTaskSchema>

export const PatchTaskSchema = Type.Object(
  {
    title: Type.Optional(titleField),
    description: Type.Optional(descriptionField),
    status: Type.Optional(statusField),
    completed: Type.Optional(completedField),
    city: Type.Optional(cityField),
  },
  { ...closed, description: 'Absent: left as it is. null: cleared.', examples: [{ completed: true }] },
)
export type PatchTask = Static<typeof PatchTaskSchema>

export const PutTaskSchema = Type.Object(
  {
    title: titleField,
    description: Type.Optional(descriptionField),
    status: Type.Optional(statusField),
    completed: Type.Optional(completedField),
    city: Type.Optional(cityField),
  },
  {
    ...closed,
    description: 'Replaces title, description, status and city; what is absent is cleared.',
    examples: [{ title: 'Prepare report', description: null, status: 'in_progress' }],
  },
)

export const IdParams = Type.Object({
  id: Type.Integer({ minimum: 1, maximum: 2_147_483_647, examples: [1] }),
})

export const ListTasksSchema = Type.Object(
  {
    skip: Type.Integer({ minimum: 0, maximum: 2_147_483_647, default: 0 }),
    limit: Type.Integer({ minimum: 1, maximum: 1000, default: 100 }),
    status: Type.Optional(
      Type.Array(statusField, { maxItems: 20, description: 'Repeat it for more than one' }),
    ),
    completed: Type.Optional(Type.Boolean()),
    sort: Type.String({
      default: 'id',
      maxLength: 200,
      description:
        'Columns separated by commas, `-` before one for descending: id, created_at, title, status, updated_at',
      examples: ['-created_at,id'],
    }),
  },
  closed,
)
export type ListTasks = Static<typeof ListTasksSchema>
