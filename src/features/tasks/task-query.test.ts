import fc from 'fast-check'
import sql from 'sql-template-tag'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { type ModelRow, matchesList, sortedAs } from '../../../test/support/list-model.ts'
import { scopeOfUser } from '../../../test/support/scopes.ts'
import type { ListTasks } from './list-schema.ts'
import { readCursor } from './task-cursor.ts'
import { readList } from './task-list.ts'
import { listTasks, type TaskPage } from './task-query.ts'
import { rankOf } from './task-sort.ts'

const COUNT = 90
let database: TestDatabase
let all: ModelRow[]
beforeAll(async () => {
  database = await createTestDatabase()
  // Many equal values, so that every order has ties to break; some empty; some tasks gone.
  await database.rows(
    `INSERT INTO tasks (user_id, title, description, status, priority, due_at, labels, city, source, source_key, job,
       created_at, updated_at, deleted_at)
     SELECT CASE WHEN n % 4 > 0 THEN 6 + n % 4 END,
       ($2::text[])[1 + n % 8] || ' ' || ($2::text[])[1 + n * 3 % 8], CASE WHEN n % 3 > 0 THEN ($2::text[])[1 + n * 5 % 8] END,
       (ARRAY['todo', 'in_progress', 'done', 'failed'])[1 + n * 5 % 4],
       (ARRAY['none', 'low', 'medium', 'high', 'urgent'])[1 + n * 3 % 5]::task_priority,
       CASE WHEN n % 2 > 0 THEN (CASE WHEN n % 5 > 1 THEN timestamptz '2025-01-01Z' ELSE timestamptz '2999-01-01Z' END) + n % 4 * interval '12 hours' END,
       (ARRAY['{}', '{home}', '{home,work}', '{work,"a,b"}', '{"Home"}'])[1 + n % 5]::text[],
       (ARRAY['Москва', 'МОСКВА', 'Oslo', NULL])[1 + n % 4], source, CASE WHEN source IS NOT NULL THEN n::text END,
       CASE WHEN n % 6 = 0 THEN jsonb_build_object('state', (ARRAY['queued', 'failed'])[1 + n % 4 / 2]) END,
       timestamptz '2025-02-27Z' + n * 3 % 7 * interval '11 hours',
       CASE WHEN n % 3 > 0 THEN timestamptz '2025-03-01Z' + n * 11 % 6 * interval '1 day' END,
       CASE WHEN n % 10 = 0 THEN now() END
     FROM generate_series(1, $1) n, LATERAL (SELECT CASE WHEN n % 7 < 2 THEN 'elsewhere' END) AS s (source)`,
    [
      COUNT,
      [
        'Report',
        'reports.pdf',
        'REPORTING/now',
        'отчёт',
        'Отчётами',
        'отчета-то',
        'склад 12',
        "budget's (v2)",
      ],
    ],
  )
  await database.rows(
    "INSERT INTO users (id, username, username_key, password_hash) OVERRIDING SYSTEM VALUE VALUES (7, 'Anna', 'anna', '')",
  )
  await database.rows('UPDATE tasks SET position = task_place(-id % 17) WHERE id % 3 = 0')
  all = await database.rows<ModelRow>(
    `SELECT *, dense_rank() OVER (ORDER BY title) AS title_order, dense_rank() OVER (ORDER BY status) AS status_order
     FROM tasks WHERE deleted_at IS NULL`,
  )
})
afterAll(() => database[Symbol.asyncDispose]())

/** A query and its caller. */
interface Asked {
  owner: number | undefined
  query: ListTasks
}

const some = <T>(...values: T[]) => fc.subarray(values, { minLength: 1 })
const moment = fc.constantFrom(
  ...['2025-02-27', '2025-02-28', '2025-03-01', '2025-01-01', '2025-01-02', '2999-01-01'],
  ...['2025-02-27T22:00:00Z', '2025-02-28T10:00:00+01:00', '2025-01-01T12:00:00.000000Z'],
)
const period = fc.option(fc.tuple(moment, moment), { nil: undefined })
const columns = ['id', 'created_at', 'title', 'status', 'updated_at', 'priority', 'due_at', 'position']
const sort = fc
  .array(fc.tuple(fc.constantFrom('', '-'), fc.constantFrom(...columns)), { minLength: 1, maxLength: 4 })
  .map((keys) => keys.map((key) => key.join('')).join(','))
const search = fc
  .array(
    fc.constantFrom(
      'report',
      'Reports',
      'rep',
      'отчет',
      'ОТЧЁТЫ',
      'отч',
      'складе',
      'v2',
      's',
      'now',
      'nothing',
      'pdf',
      '12',
      '1',
    ),
    { maxLength: 2 },
  )
  .chain((words) => fc.constantFrom(' ', ' & ', "'; ", ':* | !', '<->').map((glue) => words.join(glue)))
const filters = fc.record(
  {
    status: some('todo', 'in_progress', 'done', 'failed'),
    completed: fc.boolean(),
    priority: some('none', 'low', 'medium', 'high', 'urgent'),
    user_id: fc.constantFrom(7, 8, 99),
    user: fc.constantFrom('7', '9', 'anna', 'ANNA', 'nobody'),
    city: fc.constantFrom('москва', 'OSLO', 'Os', '%'),
    source: fc.constantFrom('elsewhere', 'Elsewhere', '_'),
    label: some('home', 'work', 'a,b', 'none'),
    overdue: fc.boolean(),
    q: search,
    has_job: fc.boolean(),
    job_state: some('queued', 'failed', 'running'),
  },
  { requiredKeys: [] },
)
// Most lists have only a few filters, so that some tasks match.
const few = fc
  .tuple(filters, fc.subarray(Object.keys(filtersOf()), { maxLength: 3 }))
  .map(([fields, kept]) => Object.fromEntries(Object.entries(fields).filter(([name]) => kept.includes(name))))
const asked: fc.Arbitrary<Asked> = fc
  .record({
    owner: fc.option(fc.constantFrom(7, 8), { nil: undefined }),
    few,
    created: period,
    due: period,
    sort: fc.option(sort, { nil: undefined }),
    limit: fc.integer({ min: 1, max: COUNT }),
    weight: fc.nat(3),
  })
  .map(({ owner, few, created, due, sort, limit, weight }) => {
    const bounds = (prefix: string, period: [string, string] | undefined) => {
      if (!period) return {}
      const [from, to] = period.toSorted((a, b) => Date.parse(a) - Date.parse(b)) as [string, string]
      return weight === 0 ? { [`${prefix}_from`]: from } : { [`${prefix}_from`]: from, [`${prefix}_to`]: to }
    }
    const periods =
      weight < 2 ? { ...bounds('created', created), ...(weight === 1 && bounds('due', due)) } : {}
    return { owner, query: { skip: 0, limit, ...few, ...periods, ...(sort && { sort }) } as ListTasks }
  })

function filtersOf(): Record<string, true> {
  const names = [
    'status',
    'completed',
    'priority',
    'user_id',
    'user',
    'city',
    'source',
    'label',
    'overdue',
    'q',
  ]
  return Object.fromEntries([...names, 'has_job', 'job_state'].map((name) => [name, true]))
}

const list = async ({ owner, query }: Asked): Promise<TaskPage> =>
  listTasks(database.db, await readList(database.db, scopeOfUser(owner), query))
const ids = (page: TaskPage) => page.rows.map(({ id }) => id)

/** The ids of the whole list, by a plain reading of what is asked. */
async function model({ owner, query }: Asked): Promise<number[]> {
  const matching = all.filter(
    (row) => (owner === undefined || row.user_id === owner) && matchesList(row, query, { anna: 7 }),
  )
  const ranks = new Map<number, number>()
  if (query.q !== undefined && query.sort === undefined) {
    const { text, values } = sql`SELECT id, ${rankOf(query.q)} AS rank FROM tasks t`
    for (const { id, rank } of await database.rows<{ id: number; rank: number }>(text, values))
      ranks.set(id, rank)
    return matching.toSorted((a, b) => ranks.get(b.id)! - ranks.get(a.id)! || b.id - a.id).map(({ id }) => id)
  }
  return sortedAs(matching, query.sort ?? 'id').map(({ id }) => id)
}

test('any page of any list is the one that a plain reading of its query gives, with the number of all', async () => {
  const property = fc.asyncProperty(asked, fc.nat(COUNT + 5), async (one, skip) => {
    const expected = await model(one)
    for (const from of [0, skip]) {
      const page = await list({ ...one, query: { ...one.query, skip: from } })
      expect(ids(page)).toEqual(expected.slice(from, from + one.query.limit))
      expect(page.total).toEqual({ count: expected.length, exact: true })
      expect(page.next !== undefined).toBe(from + one.query.limit < expected.length)
    }
  })
  await fc.assert(property, { numRuns: 600 })
})

test('the pages that cursors lead through, to the end and back, are the list', async () => {
  let pages = 0
  const walk = async (one: Asked, from: string, to: 'next' | 'previous') => {
    const found: number[][] = []
    for (let cursor: string | undefined = from; cursor !== undefined; ) {
      const page: TaskPage = await list({ ...one, query: { ...one.query, cursor } })
      found.push(ids(page))
      const start = page[to]
      cursor = start && 'cursor' in start ? start.cursor : undefined
      if (to === 'next' && cursor !== undefined) last = cursor
      expect(++pages).toBeLessThan(20_000)
    }
    return found
  }
  let last = ''
  const property = fc.asyncProperty(asked, async (one) => {
    const expected = await model(one)
    last = ''
    expect((await walk(one, '', 'next')).flat()).toEqual(expected)
    const back = await walk(one, last, 'previous')
    expect(back.toReversed().flat()).toEqual(expected)
  })
  await fc.assert(property, { numRuns: 200 })
})

test('a cursor is good for its own list and no other, and for nothing that was changed in it', async () => {
  const property = fc.asyncProperty(asked, asked, fc.nat(), async (one, other, at) => {
    const page = await list({ ...one, query: { ...one.query, cursor: '' } })
    if (!page.next || !('cursor' in page.next)) return
    const { cursor } = page.next
    const { filter, sort } = await readList(database.db, scopeOfUser(one.owner), { ...one.query, cursor })
    expect(sort === undefined).toBe(one.query.q !== undefined && one.query.sort === undefined)
    const i = at % cursor.length
    const changed = cursor.slice(0, i) + (cursor[i] === 'A' ? 'B' : 'A') + cursor.slice(i + 1)
    const sorts = sort ? [sort] : []
    expect(readCursor(filter, sorts, changed)).toBeUndefined()
    const same = JSON.stringify([one.owner, { ...one.query, limit: 1 }])
    if (same === JSON.stringify([other.owner, { ...other.query, limit: 1 }])) return
    const there = await readList(database.db, scopeOfUser(other.owner), { ...other.query, limit: 1 })
    const here = await readList(database.db, scopeOfUser(one.owner), { ...one.query, limit: 1 })
    const isOther = JSON.stringify([there.filter, there.sort]) !== JSON.stringify([here.filter, here.sort])
    const used = readList(database.db, scopeOfUser(other.owner), { ...other.query, cursor })
    if (isOther) await expect(used).rejects.toMatchObject({ errors: [{ path: 'query.cursor' }] })
    else await used
  })
  await fc.assert(property, { numRuns: 200 })
})

test('a listed row has the columns of a task and none that nobody is shown', async () => {
  const { rows } = await list({ owner: undefined, query: { skip: 0, limit: 1 } })
  const expected = all.find(({ id }) => id === 1)!
  const { total, ...row } = rows[0] as (typeof rows)[0] & { total?: number }
  for (const [name, value] of Object.entries(row))
    expect([name, value]).toEqual([name, expected[name as 'id']])
  expect(row).not.toHaveProperty('search')
  expect(row.created_at).toMatch(/\.\d{6}Z$/)
})
