import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { operator } from '../../core/actor.ts'
import type { Database } from '../../platform/database/database.ts'
import { createTaskService } from './task-service.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database[Symbol.asyncDispose]())

const counted = (db: Database) => {
  const names: (string | undefined)[] = []
  const query: Database['query'] = (statement) => {
    names.push(statement.name)
    return db.query(statement)
  }
  return { names, db: { ...db, query } }
}

test('tasks that are created at the same time share a statement, and are each whole, with one event', async () => {
  const { names, db } = counted(database.db)
  const tasks = createTaskService(db)
  const inputs = Array.from({ length: 50 }, (_, i) => ({
    title: `Task ${i}`,
    ...(i % 2 && {
      description: `"${i}" \\ \n ё 😀`,
      labels: [`a,${i}`, '{"}'],
      due_at: `2026-01-01T00:00:00.00000${i % 10}Z`,
    }),
    ...(i % 3 && { priority: 'high' as const, city: 'Омск', status: 'done' as const }),
  }))
  const rows = await Promise.all(inputs.map((input) => tasks.create({ actor: operator }, input)))
  expect(names).toEqual(['task-insert'])
  for (const [i, input] of inputs.entries()) expect(rows[i]).toMatchObject({ version: 1, ...input })
  const stored = await Promise.all(rows.map(({ id }) => tasks.get(operator, id)))
  expect(stored).toEqual(rows)
  const told = await database.rows<{ id: number; title: string }>(
    "SELECT (data ->> 'id')::integer AS id, data ->> 'title' AS title FROM events WHERE type = 'task_created' ORDER BY id",
  )
  expect(told).toEqual(rows.map(({ id, title }) => ({ id, title })))
})

test('one that the database refuses does not keep the others from being made', async () => {
  const tasks = createTaskService(database.db)
  const titles = Array.from({ length: 20 }, (_, i) => (i === 7 ? 'x'.repeat(1000) : `Beside ${i}`))
  const results = await Promise.allSettled(
    titles.map((title) => tasks.create({ actor: operator }, { title })),
  )
  expect(results.map(({ status }) => status)).toEqual(
    titles.map((_, i) => (i === 7 ? 'rejected' : 'fulfilled')),
  )
  const [stored] = await database.rows<{ tasks: number; events: number }>(
    `SELECT (SELECT count(*) FROM tasks WHERE title LIKE 'Beside %')::integer AS tasks,
      (SELECT count(*) FROM events WHERE data ->> 'title' LIKE 'Beside %')::integer AS events`,
  )
  expect(stored).toEqual({ tasks: 19, events: 19 })
})
