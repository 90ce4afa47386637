import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { eventually } from '../../../test/support/eventually.ts'
import { waitsForALock } from '../../../test/support/locks.ts'
import { logTo } from '../../../test/support/log.ts'
import { operator } from '../../core/actor.ts'
import { purgeEvents } from '../../events/outbox.ts'
import { saveTodos } from '../../features/imports/todos/save-todos.ts'
import { createTaskService, purgeTrash } from '../../features/tasks/index.ts'
import { openJobQueues } from './job-queues.ts'
import { startPurgeSchedule } from './purge-schedule.ts'

const lines: Record<string, unknown>[] = []
let database: TestDatabase
const stack = new AsyncDisposableStack()
const todos = ['1', '2', '3'].map((key) => ({
  key,
  title: `Todo ${key}`,
  description: 'From external API: User 1',
  completed: false,
}))
const save = () => database.db.transaction((transaction) => saveTodos(transaction, todos))
const count = async (what: string) => {
  const [row] = await database.rows<{ count: number }>(`SELECT count(*) AS count FROM ${what}`)
  return row!.count
}

// All tests use one run: a worker polls at its start and then only every half minute.
beforeAll(async () => {
  database = stack.use(await createTestDatabase())
  await save()
  const tasks = createTaskService(database.db)
  const ids = (await database.rows<{ id: number }>('SELECT id FROM tasks ORDER BY id')).map(({ id }) => id)
  await tasks.remove({ actor: operator }, ids[0]!)
  await tasks.remove({ actor: operator }, ids[1]!)
  await database.rows(`UPDATE tasks SET deleted_at = now() - interval '31 days' WHERE id = $1`, [ids[0]])
  await database.rows(`UPDATE tasks SET deleted_at = now() - interval '29 days' WHERE id = $1`, [ids[1]])
  await database.rows('TRUNCATE events')
  await database.rows(
    `INSERT INTO events (type, data, at) SELECT 'task_deleted', '{}', now() - interval '8 days' FROM generate_series(1, 12000)`,
  )
  await database.rows(
    `INSERT INTO events (type, data, at) SELECT 'task_deleted', '{}', now() - interval '6 days' FROM generate_series(1, 10)`,
  )
  const log = logTo(lines)
  const queues = stack.use(await openJobQueues({ connectionString: database.url }, log))
  const queue = await queues.open('housekeeping', { policy: 'short' })
  await queue.send({})
  await startPurgeSchedule({
    queues,
    log,
    purges: {
      unreachable: () => Promise.reject(new Error('not reachable')),
      events: (limit) => purgeEvents(database.db, 7, limit),
      trash: (limit) => purgeTrash(database.db, 30, limit),
    },
  })
  await eventually(() => lines.filter(({ msg }) => msg === 'purged').length === 2, 'the purge')
})
afterAll(() => stack.disposeAsync())

test('expired events are purged in batches, later ones stay', async () => {
  expect(await count('events')).toBe(10)
  expect(await count(`events WHERE at < now() - interval '7 days'`)).toBe(0)
})

test('tasks are purged from the trash after the retention period', async () => {
  const rows = await database.rows('SELECT source_key, deleted_at IS NULL AS here FROM tasks ORDER BY id')
  expect(rows).toEqual([
    { source_key: '2', here: false },
    { source_key: '3', here: true },
  ])
  expect(lines.filter(({ msg }) => msg === 'purged')).toMatchObject([{ events: 12_000 }, { trash: 1 }])
})

test('an import does not create a purged task again, even if the item changed', async () => {
  expect(await save()).toEqual({ created: 0, updated: 0, skipped: 3 })
  for (const todo of todos) todo.title += ', changed'
  expect(await save()).toEqual({ created: 0, updated: 1, skipped: 2 })
  expect(await count(`tasks WHERE source_key = '1'`)).toBe(0)
  expect(await count(`imported_todos WHERE key = '1'`)).toBe(1)
})

test('the purges are scheduled hourly', async () => {
  expect(await database.rows('SELECT name, cron FROM pgboss.schedule')).toEqual([
    { name: 'housekeeping', cron: '17 * * * *' },
  ])
})

test('a task that is restored during a purge stays', async () => {
  const tasks = createTaskService(database.db)
  const { id } = await tasks.create({ actor: operator }, { title: 'Back in time' })
  await tasks.remove({ actor: operator }, id)
  await database.rows(`UPDATE tasks SET deleted_at = now() - interval '31 days' WHERE id = $1`, [id])
  let purging: Promise<number> | undefined
  await database.db.transaction(async (transaction) => {
    await createTaskService(transaction).restore({ actor: operator }, id)
    purging = purgeTrash(database.db, 30, 5000)
    await waitsForALock(database)
  })
  expect(await purging).toBe(0)
  expect((await tasks.get(operator, id)).title).toBe('Back in time')
})
