import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { rawClient } from '../../../test/support/event-harness.ts'
import { operator } from '../../core/actor.ts'
import type { Queryable, Statement } from '../../platform/database/database.ts'
import type { ListTasks } from './list-schema.ts'
import { createTaskService } from './task-service.ts'

const COUNT = 30_000
let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
  await database.rows(
    `INSERT INTO tasks (user_id, title, description, status, priority, due_at, labels, city, created_at)
     SELECT n % 300, 'report ' || n, 'word' || n % 1000, (ARRAY['todo', 'done'])[1 + (n % 100 > 0)::int],
       (ARRAY['none', 'urgent'])[1 + (n % 200 = 0)::int]::task_priority,
       CASE WHEN n % 3 = 0 THEN timestamptz '2025-01-01Z' + n * 7919 % 1000 * interval '1 day' END,
       CASE WHEN n % 5 = 0 THEN ARRAY['label ' || n % 500] ELSE '{}' END,
       CASE WHEN n % 4 = 0 THEN 'City ' || n % 100 END, timestamptz '2025-01-01Z' + n * interval '10 minutes'
     FROM generate_series(1, $1) n`,
    [COUNT],
  )
  await database.rows('VACUUM ANALYZE tasks, task_labels')
})
afterAll(() => database[Symbol.asyncDispose]())

interface Plan {
  'Node Type': string
  'Index Name'?: string
  'Relation Name'?: string
  Plans?: Plan[]
}

/** The plans, each with its steps and the rows that they read, of all statements of a list. */
async function plansOf(query: Partial<ListTasks>): Promise<{ steps: Plan[]; milliseconds: number }> {
  const statements: Statement[] = []
  const recorder: Queryable = {
    query: (statement) => {
      statements.push(statement)
      return database.db.query(statement)
    },
  }
  await createTaskService(recorder as typeof database.db).list(operator, { skip: 0, limit: 50, ...query })
  const steps: Plan[] = []
  let milliseconds = 0
  for (const { text, values } of statements) {
    const [row] = await database.rows<{ 'QUERY PLAN': [{ Plan: Plan; 'Execution Time': number }] }>(
      `EXPLAIN (ANALYZE, FORMAT JSON) ${text.replace(/^EXPLAIN \(FORMAT JSON\)/, '')}`,
      values,
    )
    const [plan] = row!['QUERY PLAN']
    milliseconds += plan['Execution Time']
    const add = (step: Plan): void => {
      steps.push(step)
      step.Plans?.forEach(add)
    }
    add(plan.Plan)
  }
  return { steps, milliseconds }
}

test.each<[string, Partial<ListTasks>, string[]]>([
  ['all', {}, ['tasks_pkey']],
  ['of a user', { user_id: 7 }, ['tasks_user_id']],
  ['of a user, in another order', { user_id: 7, sort: '-updated_at,title' }, ['tasks_user_id']],
  ['of a rare status', { status: ['todo'] }, ['tasks_status']],
  ['not completed', { completed: false, status: ['todo', 'done'] }, ['tasks_status']],
  ['of a rare priority', { priority: ['urgent'] }, ['tasks_priority']],
  ['of a city', { city: 'CITY 8' }, ['tasks_city']],
  ['with a label', { label: ['label 5'] }, ['task_labels_pkey', 'tasks_pkey']],
  ['of a user, with a label', { user_id: 7, label: ['label 5'] }, ['task_labels_pkey']],
  ['due in a week', { due_from: '2025-06-01', due_to: '2025-06-07' }, ['tasks_due_at']],
  ['created on a day', { created_from: '2025-03-01', created_to: '2025-03-01' }, ['tasks_created_at']],
  ['created late', { created_from: '2025-07-25' }, ['tasks_pkey']],
  ['the newest first', { sort: '-created_at' }, ['tasks_created_at']],
  ['in the manual order', { sort: 'position' }, ['tasks_position']],
  ['with a rare word', { q: 'word77' }, ['tasks_search']],
  ['with two words', { q: 'report word77' }, ['tasks_search']],
])('the tasks %s are found by an index, and so is their number', async (_, query, expected) => {
  const { steps } = await plansOf(query)
  const scans = steps.filter((step) => step['Relation Name'] === 'tasks' && step['Node Type'] === 'Seq Scan')
  expect(scans).toEqual([])
  const used = steps.flatMap((step) => step['Index Name'] ?? [])
  for (const index of expected) expect(used).toContain(index)
})

test.each([
  ['begins', '2025-07-25', 'infinity', false],
  ['ends', '-infinity', '2025-02-05', true],
])(
  'where a period %s is found by a look into an index for each 4,096 ids',
  async (_, since, until, backwards) => {
    // On a connection that has done nothing else, since that is what the numbers are of.
    await using client = await rawClient(database.url)
    const { rows } = await client.query(
      `SELECT task_id_of_period($1, $2, $3), pg_stat_get_xact_numscans('tasks'::regclass)::integer AS all,
         pg_stat_get_xact_numscans('tasks_created_among'::regclass)::integer AS looks,
         pg_stat_get_xact_tuples_returned('tasks_created_among'::regclass)::integer AS read`,
      [since, until, backwards],
    )
    const blocks = Math.ceil(COUNT / 4096)
    expect(rows[0]).toMatchObject({ all: 0, looks: blocks + 1 })
    expect(rows[0].read).toBeLessThanOrEqual(4096 + blocks)
  },
)

test('where a period begins is found so too by a connection that has met the table when it was small', async () => {
  await using other = await createTestDatabase()
  await using client = await rawClient(other.url)
  const find = () => client.query(`SELECT task_id_of_period('2025-07-25', 'infinity', false) AS id`)
  await client.query(
    `INSERT INTO tasks (title, created_at) SELECT 'Old', '2025-01-01' FROM generate_series(1, 20)`,
  )
  await client.query('ANALYZE tasks')
  for (let i = 0; i < 6; i++) await find()
  await client.query(
    `INSERT INTO tasks (title, created_at)
     SELECT 'New', timestamptz '2025-01-01Z' + n * interval '10 minutes' FROM generate_series(1, $1) n`,
    [COUNT],
  )
  const work = async () => {
    const { rows } = await client.query(
      `SELECT pg_stat_get_xact_numscans('tasks'::regclass)::integer AS all,
         pg_stat_get_xact_tuples_returned('tasks_created_among'::regclass)::integer AS read,
         pg_stat_get_xact_tuples_returned('tasks_pkey'::regclass)::integer AS passed`,
    )
    return rows[0]
  }
  const before = await work()
  const { rows } = await find()
  const after = await work()
  expect(rows[0].id).toBe(20 + 205 * 144)
  expect(after.all - before.all).toBe(0)
  expect(after.read - before.read).toBeLessThanOrEqual(4096 + Math.ceil(COUNT / 4096))
  expect(after.passed - before.passed).toBeLessThanOrEqual(1)
})

test.each<[string, Partial<ListTasks>]>([
  ['id', { sort: 'id' }],
  ['-id', { sort: '-id' }],
  ['created_at', { sort: 'created_at' }],
  ['-created_at', { sort: '-created_at' }],
  ['position', { sort: 'position' }],
  ['status', { status: ['done'] }],
])('a page by %s far in the table reads no more rows than the first', async (_, query) => {
  const rowsRead = async (cursor: string) => {
    const { steps } = await plansOf({ ...query, cursor })
    return steps.reduce((sum, step) => {
      const { 'Actual Rows': rows = 0, 'Rows Removed by Filter': removed = 0 } = step as unknown as Record<
        string,
        number
      >
      return step['Relation Name'] === 'tasks' ? sum + rows + removed : sum
    }, 0)
  }
  const tasks = createTaskService(database.db)
  const { next } = await tasks.list(operator, { skip: 0, limit: 1000, cursor: '', ...query })
  let deep = next as { cursor: string }
  for (let i = 0; i < 20; i++) {
    const page = await tasks.list(operator, { skip: 0, limit: 1000, ...query, cursor: deep.cursor })
    deep = page.next as { cursor: string }
  }
  expect(await rowsRead(deep.cursor)).toBeLessThanOrEqual((await rowsRead('')) + 1)
})

test('a list longer than the bound is estimated, and says so; it is counted no more for a while', async () => {
  const tasks = createTaskService(database.db)
  const total = async (query: Partial<ListTasks>) =>
    (await tasks.list(operator, { skip: 0, limit: 1, ...query })).total
  expect(await total({ user_id: 7 })).toEqual({ count: 100, exact: true })
  for (const query of [{}, { completed: true }, { q: 'report' }]) {
    const { count, exact } = await total(query)
    expect(exact).toBe(false)
    expect(count).toBeGreaterThan(COUNT * 0.8)
    expect(count).toBeLessThan(COUNT * 1.2)
  }
  const { steps } = await plansOf({ created_from: '2025-01-01' })
  expect(steps.some((step) => step['Node Type'] === 'Aggregate')).toBe(true)
  await tasks.list(operator, { skip: 0, limit: 1, has_job: false })
  const counted: string[] = []
  const recorder = new Proxy(database.db, {
    get: (target, name) =>
      name === 'query'
        ? (statement: Statement) => {
            counted.push(statement.text)
            return target.query(statement)
          }
        : Reflect.get(target, name),
  })
  const again = createTaskService(recorder)
  await again.list(operator, { skip: 0, limit: 1, has_job: false })
  await again.list(operator, { skip: 0, limit: 1, has_job: false })
  expect(counted.filter((text) => text.includes('count(*)'))).toHaveLength(1)
})
