import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { migrate, migrationNames } from './migrate.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database[Symbol.asyncDispose]())

test('the tasks of a release before get their places by id, are found, and new ones come behind them', async () => {
  await database.rows('DROP SCHEMA public CASCADE')
  await database.rows('CREATE SCHEMA public')
  await database.rows(
    'CREATE TABLE schema_migrations (name text PRIMARY KEY, applied_at timestamptz DEFAULT now())',
  )
  for (const name of migrationNames().filter((name) => name < '0011')) {
    await database.rows(readFileSync(join(import.meta.dirname, 'migrations', `${name}.sql`), 'utf8'))
    await database.rows('INSERT INTO schema_migrations VALUES ($1)', [name])
  }
  await database.rows(
    "INSERT INTO tasks (title, description) SELECT 'Old ' || n, 'отчёт' FROM generate_series(1, 5) n",
  )
  // The update moves the row, so that its place in the table does not follow its id.
  await database.rows("UPDATE tasks SET status = 'done' WHERE id = 2")
  await database.rows('DELETE FROM tasks WHERE id = 4')
  await migrate({ connectionString: database.url })
  // The previous release and this one both insert like this.
  await database.rows("INSERT INTO tasks (title, status) VALUES ('New', 'todo')")
  const rows = await database.rows('SELECT id, priority, due_at, labels FROM tasks ORDER BY position')
  const fields = { priority: 'none', due_at: null, labels: [] }
  expect(rows).toEqual([1, 2, 3, 5, 6].map((id) => ({ id, ...fields })))
  const found = await database.rows(
    "SELECT id FROM tasks WHERE search @@ to_tsquery('task_words', 'отчет') ORDER BY id",
  )
  expect(found).toEqual([1, 2, 3, 5].map((id) => ({ id })))
})
