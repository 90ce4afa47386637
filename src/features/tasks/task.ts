import type { TaskRow } from './task-columns.ts'
import { type Job, presentJob } from './task-job.ts'
import { type StatusLabels, statusLabel } from './task-status.ts'

/** A task as clients see it. */
export interface Task extends Omit<TaskRow, 'status' | 'job'> {
  status: string
  completed: boolean
  job: Job | null
}

export type TaskPresenter = (row: TaskRow) => Task

export function taskPresenter(labels: StatusLabels): TaskPresenter {
  const label = statusLabel(labels)
  return (row) => ({
    id: row.id,
    title: row.title,
    description: row.description,
    status: label(row.status),
    completed: row.status === 'done',
    priority: row.priority,
    due_at: row.due_at,
    labels: row.labels,
    position: row.position,
    city: row.city,
    weather: row.weather,
    user_id: row.user_id,
    source: row.source,
    job: row.job && presentJob(row.job),
    version: row.version,
    created_at: row.created_at,
    updated_at: row.updated_at,
  })
}
