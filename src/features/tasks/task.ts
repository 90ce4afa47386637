import { isoTimestamp } from '../../core/timestamp.ts'
import type { Weather } from '../weather/index.ts'
import { firstPosition } from './position-key.ts'
import { type Job, presentJob, type StoredJob } from './task-job.ts'

export const statuses = ['todo', 'in_progress', 'done', 'failed'] as const
export type Status = (typeof statuses)[number]

/** From the least on; this is their order in lists too. */
export const priorities = ['none', 'low', 'medium', 'high', 'urgent'] as const
export type Priority = (typeof priorities)[number]

/** How statuses are written: as they are stored, or under the names of a queue's clients. */
export type StatusLabels = 'snake' | 'title'
const titles: Record<Status, string> = {
  todo: 'New',
  in_progress: 'In Progress',
  done: 'Completed',
  failed: 'Failed',
}
const byName = new Map(
  statuses.flatMap((status) => [
    [status, status],
    [titles[status].toLowerCase(), status],
  ]),
)

/** The status meant by any of its names, in any letter case. */
export function parseStatus(name: string): Status | undefined {
  return byName.get(name.trim().toLowerCase())
}

/** A row of `tasks`; times are ISO 8601 text in UTC with microseconds. */
export interface TaskRow {
  id: number
  title: string
  description: string | null
  status: Status
  priority: Priority
  due_at: string | null
  labels: string[]
  /** Its place in the manual order; a key of `place-key.ts`. */
  position: string
  city: string | null
  weather: Weather | null
  user_id: number | null
  source: string | null
  /** null: a task of people, which no worker touches. */
  job: StoredJob | null
  version: number
  created_at: string
  updated_at: string | null
}

/** A task as clients see it. */
export interface Task extends Omit<TaskRow, 'status' | 'job'> {
  status: string
  completed: boolean
  job: Job | null
}

export type TaskPresenter = (row: TaskRow) => Task

/** How a status is written. */
export function statusLabel(labels: StatusLabels): (status: Status) => string {
  return labels === 'title' ? (status) => titles[status] : (status) => status
}

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

/** The row in an event's `data`, where PostgreSQL's `row_to_json` put it. */
export function rowFromSnapshot(snapshot: TaskRow): TaskRow {
  return {
    ...snapshot,
    // Events of the time before there were these have none.
    job: snapshot.job ?? null,
    priority: snapshot.priority ?? 'none',
    due_at: snapshot.due_at ? isoTimestamp(snapshot.due_at) : null,
    labels: snapshot.labels ?? [],
    position: snapshot.position ?? firstPosition(snapshot.id),
    created_at: isoTimestamp(snapshot.created_at),
    updated_at: snapshot.updated_at && isoTimestamp(snapshot.updated_at),
  }
}
