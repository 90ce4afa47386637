import type { JSONSchema } from 'json-schema-to-ts'
import type { TaskPresenter } from './task.ts'
import { rowFromSnapshot, type TaskRow } from './task-columns.ts'
import { TaskSchema, taskExample } from './task-schemas.ts'

/** Renders the events of the task store for clients. */
export function taskEventRenderers(present: TaskPresenter) {
  const renderTask = (snapshot: TaskRow) => ({ task: present(rowFromSnapshot(snapshot)) })
  return {
    task_created: renderTask,
    task_updated: renderTask,
    task_deleted: ({ task_id }: { task_id: number }) => ({ task_id }),
  }
}

const TaskData: JSONSchema = {
  type: 'object',
  required: ['task'],
  properties: { task: TaskSchema },
  examples: [{ task: taskExample }],
}

/** The `data` of these events, for the documentation. */
export const taskEventSchemas: Record<keyof ReturnType<typeof taskEventRenderers>, JSONSchema> = {
  task_created: TaskData,
  task_updated: TaskData,
  task_deleted: {
    type: 'object',
    required: ['task_id'],
    properties: { task_id: { type: 'integer', minimum: 1 } },
    examples: [{ task_id: 1 }],
  },
}
