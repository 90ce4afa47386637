import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { eventually } from '../../../test/support/eventually.ts'
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

/** A folder of migrations for this test, by their names. */
function folderOf(files: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), 'taskwire-migrations-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, `${name}.sql`), text)
  return folder
}

const recorded = async () =>
  (await database.rows<{ name: string }>('SELECT name FROM schema_migrations ORDER BY name')).map(
    ({ name }) => name,
  )
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

test('a database of a newer release is refused in one line that says so, and is left as it is', async () => {
  await run()
  await database.rows(`INSERT INTO schema_migrations VALUES ('9999-from-the-future', '2099-01-01')`)
  const { message } = await failure(database.url)
  expect(message).toMatch(/newer release of Taskwire/)
  expect(message).toContain('9999-from-the-future')
  expect(message).not.toContain('\n')
  const [count] = await database.rows<{ n: number }>('SELECT count(*) AS n FROM schema_migrations')
  expect(count!.n).toBe(names.length + 1)
})

test('a migration that fails leaves nothing of itself and keeps those before it', async () => {
  await database.rows('CREATE TABLE import_runs (stands integer, in_the integer, way integer)')
  const { message } = await failure(database.url)
  expect(message).toMatch(
    /^The database in DATABASE_URL cannot be used: migration 0002-imports failed: .*import_runs/,
  )
  expect(message).not.toContain('\n')
  expect(await recorded()).toEqual(names.slice(0, 1))
  await database.rows('DROP TABLE import_runs')
  expect(await run()).toEqual(names.slice(1))
})

test('a process that is killed between two migrations is continued by the next start', async () => {
  const files = { '1-one': 'CREATE TABLE one ();', '2-two': 'SELECT pg_sleep(60); CREATE TABLE two ();' }
  const killed = migrate({ connectionString: database.url }, folderOf(files)).catch((error: unknown) => error)
  const backend = await eventually(async () => {
    const rows = await database.rows<{ pid: number }>(
      "SELECT pid FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(60)%' AND datname = current_database()",
    )
    return rows[0]
  }, 'the second migration runs')
  await database.rows('SELECT pg_terminate_backend($1)', [backend.pid])
  expect(await killed).toBeInstanceOf(StartupError)
  expect(await recorded()).toEqual(['1-one'])
  const repaired = folderOf({ ...files, '2-two': 'CREATE TABLE two ();' })
  expect(await migrate({ connectionString: database.url }, repaired)).toEqual(['2-two'])
})

describe('a migration outside a transaction', () => {
  const files = {
    '1-table': 'CREATE TABLE many (n integer); INSERT INTO many SELECT generate_series(1, 1000);',
    '2-index': `-- taskwire: outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS many_n; -- An interrupted attempt leaves an invalid index.
CREATE UNIQUE INDEX CONCURRENTLY many_n
  ON many (n);
`,
  }
  const isValid = async () => {
    const [row] = await database.rows<{ valid: boolean }>(
      "SELECT indisvalid AS valid FROM pg_index WHERE indexrelid = to_regclass('many_n')",
    )
    return row?.valid
  }

  test('builds an index concurrently while other processes wait for their turn', async () => {
    const folder = folderOf(files)
    const runs = await Promise.all(
      Array.from({ length: 3 }, () => migrate({ connectionString: database.url }, folder)),
    )
    expect(runs.flat()).toEqual(['1-table', '2-index'])
    expect(await isValid()).toBe(true)
  })

  test('waits for a transaction that is open, and blocks no writer meanwhile', async () => {
    const folder = folderOf(files)
    await migrate({ connectionString: database.url }, folderOf({ '1-table': files['1-table'] }))
    const migrated = await database.db.transaction(async (transaction) => {
      await transaction.query({ text: 'INSERT INTO many VALUES (2000)' })
      const run = migrate({ connectionString: database.url }, folder)
      await eventually(
        async () =>
          (
            await database.rows(
              "SELECT FROM pg_stat_activity WHERE query LIKE '%CONCURRENTLY many_n%' AND wait_event_type = 'Lock' AND datname = current_database()",
            )
          ).length > 0,
        'the index build waits',
      )
      await database.rows('INSERT INTO many VALUES (3000)')
      return { run }
    })
    expect(await migrated.run).toEqual(['2-index'])
    expect(await isValid()).toBe(true)
  })

  test('that was interrupted is repeated and repairs the invalid index', async () => {
    await migrate({ connectionString: database.url }, folderOf({ '1-table': files['1-table'] }))
    await database.rows('INSERT INTO many VALUES (1)')
    await expect(migrate({ connectionString: database.url }, folderOf(files))).rejects.toThrow(/many_n/)
    expect([await isValid(), await recorded()]).toEqual([false, ['1-table']])
    await database.rows('DELETE FROM many WHERE ctid = (SELECT max(ctid) FROM many WHERE n = 1)')
    expect(await migrate({ connectionString: database.url }, folderOf(files))).toEqual(['2-index'])
    expect(await isValid()).toBe(true)
  })
})

test('a database that cannot be reached gives one line without the password', async () => {
  const { message } = await failure('postgresql://somebody:hunter2@127.0.0.1:1/nothing')
  expect(message).toMatch(/^The database in DATABASE_URL cannot be used: .*ECONNREFUSED/)
  expect(message).not.toMatch(/\n|hunter2/)
})
