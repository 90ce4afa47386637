import type { Routes, Task } from './api-types.ts'
import type { Request, RequestOptions } from './request.ts'

export type NewTask = Routes['POST /tasks']['body']
export type TaskChanges = Routes['PATCH /tasks/{id}']['body']
export type TaskReplacement = Routes['PUT /tasks/{id}']['body']
export type TaskFilter = NonNullable<Routes['GET /tasks']['query']>

/** Each throws TaskwireError; writes happen once, however often they have to be sent. */
export interface Tasks {
  list(filter?: TaskFilter, options?: RequestOptions): Promise<Task[]>
  get(id: number, options?: RequestOptions): Promise<Task>
  create(task: NewTask, options?: RequestOptions): Promise<Task>
  /** Fields that are absent stay; null clears. */
  update(id: number, changes: TaskChanges, options?: RequestOptions): Promise<Task>
  /** Optional fields that are absent are cleared. */
  replace(id: number, task: TaskReplacement, options?: RequestOptions): Promise<Task>
  /** Into the trash. */
  delete(id: number, options?: RequestOptions): Promise<void>
  /** Out of the trash. */
  restore(id: number, options?: RequestOptions): Promise<Task>
}

export function createTasks(request: Request): Tasks {
  return {
    list: async (query, options) => (await request('GET /tasks', { ...options, query })).data,
    get: async (id, options) => (await request('GET /tasks/{id}', { ...options, path: { id } })).data,
    create: async (body, options) => (await request('POST /tasks', { ...options, body })).data,
    update: async (id, body, options) =>
      (await request('PATCH /tasks/{id}', { ...options, path: { id }, body })).data,
    replace: async (id, body, options) =>
      (await request('PUT /tasks/{id}', { ...options, path: { id }, body })).data,
    delete: async (id, options) => (await request('DELETE /tasks/{id}', { ...options, path: { id } })).data,
    restore: async (id, options) =>
      (await request('POST /tasks/{id}/restore', { ...options, path: { id } })).data,
  }
}
