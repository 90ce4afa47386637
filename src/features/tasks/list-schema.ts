import type { FromSchema, JSONSchema } from 'json-schema-to-ts'
import { pageFields } from '../../platform/http/page.ts'
import { jobStates } from './task-job.ts'
import { cityText, labelField, priorityField, statusField, taskIdField } from './task-schemas.ts'

const many = { maxItems: 20, description: 'Repeat it for more than one' } as const
const momentField = {
  type: 'string',
  format: 'moment',
  examples: ['2025-12-15'],
  description: 'A day, or a time with its zone; a day as an end is included',
} as const
const text = { type: 'string', maxLength: 200, format: 'plain-text' } as const

/** Which tasks. */
export const filterFields = {
  status: { type: 'array', items: statusField, ...many },
  completed: { type: 'boolean' },
  priority: { type: 'array', items: priorityField, ...many },
  user_id: taskIdField,
  user: { ...text, description: 'The id of a user or, where there is none of it, the name of one' },
  city: { ...cityText, type: 'string', description: 'In any letter case' },
  source: { ...text, description: 'Where they were imported from', examples: ['jsonplaceholder'] },
  label: {
    type: 'array',
    items: labelField,
    maxItems: 20,
    description: 'Repeat it for tasks that have all of several',
  },
  created_from: momentField,
  created_to: momentField,
  due_from: momentField,
  due_to: momentField,
  overdue: { type: 'boolean', description: 'Due in the past and not done, or not' },
  q: {
    ...text,
    description:
      'Words of title and description, Russian and English in any form; the last may be the beginning of one, if it is no number of one or two digits',
    examples: ['report'],
  },
  has_job: { type: 'boolean', description: 'Executable tasks, or those of people' },
  job_state: { type: 'array', items: { type: 'string', enum: jobStates }, ...many },
} as const

export const ListTasksSchema = {
  type: 'object',
  required: ['skip', 'limit'],
  properties: {
    ...pageFields,
    cursor: {
      type: 'string',
      maxLength: 6000,
      description:
        'Instead of `skip`: pages that stay right while tasks come and go. Empty for the first one; `Link` has the others.',
    },
    ...filterFields,
    trash: {
      type: 'boolean',
      description:
        'Those in the trash instead, each with `deleted_at`; without `sort` the one that was deleted last first',
    },
    sort: {
      type: 'string',
      maxLength: 200,
      description:
        'Columns separated by commas, `-` before one for descending: id, created_at, title, status, updated_at, priority, due_at, position. When absent: id; with `q` the best match first',
      examples: ['-created_at,id'],
    },
  },
  additionalProperties: false,
} as const satisfies JSONSchema
export type ListTasks = FromSchema<typeof ListTasksSchema>
export type TaskFilterFields = Omit<ListTasks, 'skip' | 'limit' | 'cursor' | 'sort'>
