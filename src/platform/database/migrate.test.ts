import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { StartupError } from '../../core/errors.ts'
import { migrate, migrationNames } from './migrate.ts'

const names = migrationNames()
let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database[Symbol.asyncDispose]())
beforeEach(async () => {
  await database.rows('DROP SCHEMA public CASCADE')
  await database.rows('CREATE SCHEMA public')
})

const run = () => migrate({ connectionString: database.url })
const failure = async (url: string): Promise<StartupError> => {
  const error = await migrate({ connectionString: url }).catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(StartupError)
  return error as StartupError
}

test('an empty database gets every migration in order, and a second run has nothing to do', async () => {
  expect(names).toEqual(names.toSorted())
  expect(await run()).toEqual(names)
  expect(await run()).toEqual([])
  const rows = await database.rows<{ name: string }>(
    'SELECT name FROM schema_migrations ORDER BY applied_at, name',
  )
  expect(rows.map(({ name }) => name)).toEqual(names)
})

test('of several processes at once each migration is applied by one, and all find the schema ready', async () => {
  const runs = await Promise.all(
    Array.from({ length: 4 }, async () => {
      const applied = await run()
      expect(await database.rows('SELECT FROM tasks, events, import_runs')).toEqual([])
      return applied
    }),
  )
  expect(runs.flat().toSorted()).toEqual(names)
})

test('a database of a newer version is refused in one line that says so, and is left as it is', async () => {
  await run()
  await database.rows(`INSERT INTO schema_migrations VALUES ('9999-from-the-future', '2099-01-01')`)
  const { message } = await failure(database.url)
  expect(message).toMatch(/newer version of Taskwire/)
  expect(message).toContain('9999-from-the-future')
  expect(message).not.toContain('\n')
  const [count] = await database.rows<{ n: number }>('SELECT count(*) AS n FROM schema_migrations')
  expect(count!.n).toBe(names.length + 1)
})

test('a migration that fails leaves nothing of itself', async () => {
  await database.rows('CREATE TABLE import_runs (stands integer, in_the integer, way integer)')
  const { message } = await failure(database.url)
  expect(message).toMatch(/^The database in DATABASE_URL cannot be used: .*import_runs/)
  expect(message).not.toContain('\n')
  expect(await database.rows(`SELECT to_regclass('tasks') AS tasks`)).toEqual([{ tasks: null }])
})

test('a database that cannot be reached gives one line without the password', async () => {
  const { message } = await failure('postgresql://somebody:hunter2@127.0.0.1:1/nothing')
  expect(message).toMatch(/^The database in DATABASE_URL cannot be used: .*ECONNREFUSED/)
  expect(message).not.toMatch(/\n|hunter2/)
})
