import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../support/app.ts'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app[Symbol.asyncDispose]())

test('a task is created, read, changed and deleted', async () => {
  const created = await app.send('POST', '/tasks', {
    title: '  Новая задача ',
    description: 'Описание',
    completed: false,
  })
  expect(created.status).toBe(201)
  const task = created.body
  expect(created.headers.get('location')).toBe(`/tasks/${task.id}`)
  expect(task).toMatchObject({
    title: 'Новая задача',
    status: 'todo',
    completed: false,
    version: 1,
    updated_at: null,
  })
  expect(task.created_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)

  const patched = await app.send('PATCH', `/tasks/${task.id}`, { completed: true })
  expect(patched.body).toMatchObject({ status: 'done', completed: true, version: 2 })

  expect((await app.fetch(`/tasks/${task.id}`, { method: 'DELETE' })).status).toBe(204)
  expect((await app.fetch(`/tasks/${task.id}`)).status).toBe(404)
})
