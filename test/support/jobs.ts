import { expect } from 'vitest'
import type { TestApp } from './app.ts'
import { eventually } from './eventually.ts'

export interface TaskWithJob {
  id: number
  title: string
  status: string
  version: number
  user_id: number | null
  job: {
    type: string
    input: Record<string, unknown>
    state: string
    attempts: number
    max_attempts: number
    due_at: string
    result: unknown
    error: string | null
  }
}

/** Creates an executable task over HTTP. */
export async function createJob(
  app: TestApp,
  job: object,
  headers: Record<string, string> = {},
): Promise<TaskWithJob> {
  const { status, body } = await app.send('POST', '/tasks', { title: 'Executable', job }, headers)
  expect([status, body]).toEqual([201, expect.objectContaining({ job: expect.any(Object) })])
  return body
}

/** Waits until the job of a task is in one of these states. */
export function jobIs(app: TestApp, id: number, ...states: string[]): Promise<TaskWithJob> {
  return eventually(
    async () => {
      const { body } = await app.fetch(`/tasks/${id}`)
      return states.includes(body.job.state) ? body : undefined
    },
    `the job of task ${id} is ${states.join(' or ')}`,
    20_000,
  )
}
