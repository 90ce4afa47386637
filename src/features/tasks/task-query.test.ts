import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { type Status, statuses, type TaskRow } from './task.ts'
import { listTasks, parseSort, type SortKey, type TaskQuery } from './task-query.ts'

const COUNT = 60
let database: TestDatabase
let all: TaskRow[]
beforeAll(async () => {
  database = await createTestDatabase()
  // Many equal titles, statuses and times, so that the order has ties to break; some never changed, some gone.
  await database.rows(
    `INSERT INTO tasks (user_id, title, status, created_at, updated_at, deleted_at)
     SELECT CASE WHEN n % 4 > 0 THEN 6 + n % 4 END, chr(97 + n * 7 % 5), ($2::text[])[1 + n * 5 % 4], timestamptz '2025-01-01Z' + n * 3 % 7 * interval '1 us',
       CASE WHEN n % 3 > 0 THEN timestamptz '2025-02-01Z' + n * 11 % 6 * interval '1 day' END,
       CASE WHEN n % 10 = 0 THEN now() END
     FROM generate_series(1, $1) n`,
    [COUNT, statuses],
  )
  all = (await database.rows<TaskRow & { deleted_at: string | null }>('SELECT * FROM tasks')).filter(
    ({ deleted_at }) => deleted_at === null,
  )
})
afterAll(() => database[Symbol.asyncDispose]())

/** What the list should be, in plain words. */
function model({ owner, statuses, completed, sort, skip, limit }: TaskQuery): {
  ids: number[]
  total: number
} {
  const matching = all
    .filter(({ user_id }) => owner === undefined || user_id === owner)
    .filter(({ status }) => !statuses || statuses.includes(status))
    .filter(({ status }) => completed === undefined || (status === 'done') === completed)
    .toSorted((one, other) => {
      const order = sort.map((key) => compare(one, other, key)).find((result) => result !== 0)
      return order ?? 0
    })
  return { ids: matching.slice(skip, skip + limit).map(({ id }) => id), total: matching.length }
}

// As in PostgreSQL, what is null comes after everything else, and first when the order is turned round.
function compare(one: TaskRow, other: TaskRow, { column, descending }: SortKey): number {
  const [a, b] = [one[column], other[column]]
  const ascending = a === b ? 0 : a === null ? 1 : b === null ? -1 : a < b ? -1 : 1
  return descending ? -ascending : ascending
}

const columns = ['id', 'created_at', 'title', 'status', 'updated_at']
const sortText = fc
  .array(fc.tuple(fc.constantFrom('', '-'), fc.constantFrom(...columns)), { minLength: 1, maxLength: 5 })
  .map((keys) => keys.map((key) => key.join('')).join(','))
const query: fc.Arbitrary<TaskQuery> = fc.record({
  owner: fc.option(fc.constantFrom(7, 8, 9), { nil: undefined }),
  statuses: fc.option(fc.array(fc.constantFrom<Status>(...statuses), { minLength: 1, maxLength: 5 }), {
    nil: undefined,
  }),
  completed: fc.option(fc.boolean(), { nil: undefined }),
  sort: fc.oneof(fc.constant('id'), sortText).map(parseSort),
  skip: fc.oneof(fc.constant(0), fc.nat(COUNT + 5)),
  limit: fc.integer({ min: 1, max: COUNT }),
})

test('any list is the one that a plain reading of its query gives, with the number of all matches', async () => {
  const property = fc.asyncProperty(query, async (query) => {
    const { rows, total } = await listTasks(database.db, query)
    expect({ ids: rows.map(({ id }) => id), total }).toEqual(model(query))
  })
  await fc.assert(property, { numRuns: 500 })
})

test('the pages of any list, one after the other, are the list: nothing missing, nothing twice', async () => {
  const property = fc.asyncProperty(query, async ({ limit, ...query }) => {
    const { rows: whole } = await listTasks(database.db, { ...query, skip: 0, limit: COUNT })
    const pages = Array.from({ length: Math.ceil(whole.length / limit) }, (_, i) =>
      listTasks(database.db, { ...query, skip: i * limit, limit }),
    )
    expect((await Promise.all(pages)).flatMap(({ rows }) => rows)).toEqual(whole)
  })
  await fc.assert(property, { numRuns: 50 })
})

test('a listed row has the columns of a task and no other', async () => {
  const { rows } = await listTasks(database.db, { ...plain, limit: 1 })
  const { total, ...row } = rows[0] as TaskRow & { total?: number }
  const expected = all.find(({ id }) => id === 1)!
  for (const [name, value] of Object.entries(row))
    expect([name, value]).toEqual([name, expected[name as 'id']])
  expect(row.created_at).toMatch(/\.\d{6}Z$/)
})

const plain: TaskQuery = {
  owner: undefined,
  statuses: undefined,
  completed: undefined,
  sort: parseSort('id'),
  skip: 0,
  limit: 100,
}

test.each<[string, string]>([
  ['id', 'id'],
  ['-id', '-id'],
  ['title', 'title,id'],
  ['-created_at, id', '-created_at,id'],
  ['title,-title,title', 'title,id'],
  ['-id,title', '-id'],
  ['id,-id', 'id'],
])('sort=%s means %s', (text, meant) => {
  const keys = parseSort(text).map(({ column, descending }) => (descending ? '-' : '') + column)
  expect(keys.join(',')).toBe(meant)
})

test.each(['', ',', 'id,', '+id', '--id', 'ID', 'version', 'deleted_at', 'id desc', '"id"', '__proto__'])(
  'sort=%s has an unknown column',
  (text) => {
    expect(() => parseSort(text)).toThrow(/^has an unknown column ".*"; there are id, created_at, title, /)
  },
)
