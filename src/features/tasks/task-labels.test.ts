import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { databaseBefore } from '../../../test/support/database-before.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database[Symbol.asyncDispose]())

const INDEX = 'SELECT label, task_id AS id FROM task_labels ORDER BY label, task_id'
const LABELS = `SELECT DISTINCT label COLLATE "C" AS label, id FROM tasks, unnest(labels) AS label
  WHERE deleted_at IS NULL ORDER BY label, id`

test('whatever becomes of tasks, the index on their labels has those of each that is not in the trash', async () => {
  const labels = fc.uniqueArray(fc.constantFrom('a', 'b', 'в', 'B', "c'", '"d"', 'e,f', '{}'), {
    maxLength: 4,
  })
  const change = fc.oneof(
    fc.record({ sql: fc.constant('INSERT INTO tasks (title, labels) VALUES ($1, $2)'), labels }),
    // Some statements set the labels of many tasks, or trash, restore and change them at once.
    ...[
      'UPDATE tasks SET labels = $2 WHERE id % 3 = length($1) % 3',
      'UPDATE tasks SET deleted_at = now() WHERE labels && $2 AND $1 <> $$$$',
      'UPDATE tasks SET deleted_at = NULL WHERE labels <> $2 AND $1 <> $$$$',
      'UPDATE tasks SET deleted_at = CASE WHEN deleted_at IS NULL THEN now() END, labels = $2 WHERE id % 2 = length($1) % 2',
      'UPDATE tasks SET title = $1, labels = labels WHERE labels <> $2',
      'DELETE FROM tasks WHERE labels = $2 AND $1 <> $$$$',
      'INSERT INTO tasks (title, labels, deleted_at) VALUES ($1, $2, now())',
    ].map((sql) => fc.record({ sql: fc.constant(sql), labels })),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 20 }), async (changes) => {
      for (const [i, { sql, labels }] of changes.entries()) {
        await database.rows(sql, ['x'.repeat((i % 5) + 1), labels])
      }
      expect(await database.rows(INDEX)).toEqual(await database.rows(LABELS))
    }),
    { numRuns: 40 },
  )
})

test('the labels of a release before are in the index', async () => {
  const { client, upgrade } = await databaseBefore('0015-lists-by-label-and-period')
  await client.query(`INSERT INTO tasks (title, labels, deleted_at)
    VALUES ('x', '{a,b}', NULL), ('y', '{b,b}', NULL), ('z', '{a}', now()), ('none', '{}', NULL)`)
  await upgrade()
  const rows = async (text: string) => (await client.query(text)).rows
  expect(await rows(INDEX)).toHaveLength(3)
  expect(await rows(INDEX)).toEqual(await rows(LABELS))
})
