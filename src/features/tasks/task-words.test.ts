import fc from 'fast-check'
import { expect, test } from 'vitest'
import { databaseBefore } from '../../../test/support/database-before.ts'

// All that a parser of words takes for something else: numbers, hosts, paths, addresses, tags, hyphens.
const part = fc.oneof(
  fc.constantFrom(
    ...['Running', 'отчёты', 'ЁЛКИ', 'report', '-1.5e3', 'a.b', '<b>', '&amp;', '日本', 'e\u0301'],
  ),
  fc.constantFrom(...' !"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~\n—«»'),
  fc.string({ unit: 'grapheme', maxLength: 4 }).filter((text) => text.isWellFormed() && !text.includes('\0')),
)
const text = fc.array(part, { minLength: 1, maxLength: 16 }).map((parts) => parts.join(''))
const title = text.map((text) => [...text].slice(0, 100).join('') || '-')
const description = fc.option(fc.oneof(text, fc.constant('')))
const change = fc.oneof(
  ...[
    'INSERT INTO tasks (title, description) VALUES ($1, $2)',
    'UPDATE tasks SET title = $1, description = $2',
    "UPDATE tasks SET title = $1, status = 'done' WHERE description IS DISTINCT FROM $2",
    'UPDATE tasks SET description = $2 WHERE title <> $1',
    "UPDATE tasks SET status = 'todo', city = left($1, 1) WHERE description IS DISTINCT FROM $2",
  ].map((sql) => fc.record({ sql: fc.constant(sql), title, description })),
)

test('the words of a task are those of its texts, and of a release before', { timeout: 60_000 }, async () => {
  const { client, upgrade } = await databaseBefore('0017-words-by-a-trigger')
  const rows = async (text: string, values: unknown[] = []) => (await client.query(text, values)).rows
  const texts = fc.sample(fc.tuple(title, description), { numRuns: 50, seed: 17 })
  for (const values of texts) await rows('INSERT INTO tasks (title, description) VALUES ($1, $2)', values)
  const [{ expression }] = await rows(
    `SELECT pg_get_expr(adbin, adrelid) AS expression FROM pg_attrdef
     JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum WHERE attrelid = 'tasks'::regclass AND attname = 'search'`,
  )
  const different = () =>
    rows(`SELECT title, description, search, ${expression} AS words FROM tasks WHERE search <> ${expression}`)
  await upgrade()
  expect(await different()).toEqual([])
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 8 }), async (changes) => {
      await rows('DELETE FROM tasks')
      for (const { sql, title, description } of changes) await rows(sql, [title, description])
      expect(await different()).toEqual([])
    }),
    { numRuns: 200 },
  )
})

test('a change of anything else leaves the words alone', async () => {
  const { client, upgrade } = await databaseBefore('0017-words-by-a-trigger')
  await upgrade()
  await client.query("INSERT INTO tasks (title) VALUES ('report')")
  await client.query("UPDATE tasks SET search = 'untouched'")
  await client.query("UPDATE tasks SET title = title, description = NULL, status = 'done', city = 'Oslo'")
  expect((await client.query('SELECT search FROM tasks')).rows).toEqual([{ search: "'untouched'" }])
})
