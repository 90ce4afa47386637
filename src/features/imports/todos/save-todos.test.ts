import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../../test/support/database.ts'
import { type PatchTask, TodoModel } from '../../../../test/support/todo-model.ts'
import { operator } from '../../../core/actor.ts'
import { createTaskService, purgeTrash } from '../../tasks/index.ts'
import { saveTodos } from './save-todos.ts'
import type { SourceTodo } from './todo-source.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database[Symbol.asyncDispose]())

const KEYS = 4
const key = fc.nat(KEYS - 1)
const word = fc.record({
  title: fc.constantFrom('a', 'b', 'c'),
  userId: fc.constantFrom(1, 2),
  completed: fc.boolean(),
})
const edit: fc.Arbitrary<PatchTask> = fc.oneof(
  fc.record({ title: fc.constantFrom('a', 'b', 'mine') }),
  fc.record({ description: fc.constantFrom('mine', null, 'From external API: User 2') }),
  fc.record({ status: fc.constantFrom('todo', 'in_progress', 'done', 'failed') }),
  fc.record({ completed: fc.boolean() }),
  fc.record({ city: fc.constantFrom('Moscow', null) }),
  fc.record({
    priority: fc.constantFrom('none', 'urgent'),
    due_at: fc.constantFrom('2025-12-31T09:00:00.000000Z', null),
    labels: fc.subarray(['mine', 'urgent']),
  }),
  fc.record({ title: fc.constantFrom('a', 'mine'), completed: fc.boolean() }),
)
const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('upstream' as const), key, word }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('vanish' as const), key }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('edit' as const), key, edit }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('trash' as const), key }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('restore' as const), key }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('purge' as const), key }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('run' as const), backwards: fc.boolean() }) },
)
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never

let schedules = 0

/** The importer and a model of its merge rule. */
class Schedule {
  readonly prefix = `${++schedules}00`
  readonly model = new TodoModel()
  readonly upstream = new Map<number, SourceTodo>()
  readonly tasks = createTaskService(database.db)

  async take(action: Step): Promise<void> {
    if (action.do === 'run') return await this.#run(action.backwards)
    if (action.do === 'upstream') {
      const { title, userId, completed } = action.word
      const description = `From external API: User ${userId}`
      const todo = { key: this.prefix + action.key, title, description, completed }
      this.upstream.set(action.key, todo)
    } else if (action.do === 'vanish') {
      this.upstream.delete(action.key)
    } else {
      await this.#touch(action)
    }
  }

  async #touch(action: Exclude<Step, { do: 'run' | 'upstream' | 'vanish' }>): Promise<void> {
    const known = this.model.known.get(this.prefix + action.key)
    if (!known || known.place === 'purged') return
    const id = await this.#taskOf(this.prefix + action.key)
    if (action.do === 'edit' && known.place === 'here') {
      await this.tasks.patch({ actor: operator }, id, action.edit)
      known.edit(action.edit)
    } else if (action.do === 'trash' && known.place === 'here') {
      await this.tasks.remove({ actor: operator }, id)
      known.place = 'trash'
    } else if (action.do === 'restore' && known.place === 'trash') {
      await this.tasks.restore({ actor: operator }, id)
      known.place = 'here'
    } else if (action.do === 'purge' && known.place === 'trash') {
      await database.rows(`UPDATE tasks SET deleted_at = now() - interval '99 days' WHERE id = $1`, [id])
      expect(await purgeTrash(database.db, 30, 10)).toBe(1)
      known.place = 'purged'
    }
  }

  async #taskOf(sourceKey: string): Promise<number> {
    const rows = await database.rows<{ id: number }>(`SELECT id FROM tasks WHERE source_key = $1`, [
      sourceKey,
    ])
    expect(rows).toHaveLength(1)
    return rows[0]!.id
  }

  async #run(backwards: boolean): Promise<void> {
    const todos = [...this.upstream.values()]
    if (backwards) todos.reverse()
    const before = await this.#rowVersions()
    const [last] = await database.rows<{ id: number }>('SELECT coalesce(max(id), 0) AS id FROM events')
    const counts = await database.db.transaction((transaction) => saveTodos(transaction, todos))
    const expected = this.model.run(todos)
    expect(counts).toEqual({
      created: expected.created.length,
      updated: expected.updated.length,
      skipped: todos.length - expected.created.length - expected.updated.length,
    })
    await this.#compareTasks()
    const after = await this.#rowVersions()
    // Only rows that the rule changes are written.
    const written = [...after.keys()].filter((row) => after.get(row) !== before.get(row)).sort()
    expect(written).toEqual(
      [
        ...[...expected.created, ...expected.updated].map((one) => `task ${one}`),
        ...[...expected.created, ...expected.remembered].map((one) => `todo ${one}`),
      ].sort(),
    )
    await this.#compareEvents(last!.id, expected)
  }

  async #rowVersions(): Promise<Map<string, string>> {
    const rows = await database.rows<{ row: string; version: string }>(
      `SELECT 'task ' || source_key AS row, xmin || ' ' || ctid AS version FROM tasks WHERE source_key LIKE $1
       UNION ALL SELECT 'todo ' || key, xmin || ' ' || ctid FROM imported_todos WHERE key LIKE $1`,
      [`${this.prefix}_`],
    )
    return new Map(rows.map(({ row, version }) => [row, version]))
  }

  async #compareTasks(): Promise<void> {
    const rows = await database.rows<{ source_key: string }>(
      `SELECT source_key, source, title, description, status, priority, due_at, labels, city, deleted_at IS NOT NULL AS trashed
       FROM tasks WHERE source_key LIKE $1 ORDER BY source_key`,
      [`${this.prefix}_`],
    )
    expect(rows).toEqual(this.model.tasks('jsonplaceholder'))
  }

  async #compareEvents(last: number, expected: { created: string[]; updated: string[] }): Promise<void> {
    const rows = await database.rows<{ type: string; key: string; task_id: number; same: boolean }>(
      `SELECT e.type, t.source_key AS key, t.id AS task_id, e.data::jsonb - 'source_key' = to_jsonb(t) - '{source_key,deleted_at,done_at,weather_due_at,search}'::text[] AS same
       FROM events e JOIN tasks t ON t.id = (e.data->>'id')::integer WHERE e.id > $1 ORDER BY e.id`,
      [last],
    )
    expect(rows.map(({ type, key: of }) => `${type} ${of}`).sort()).toEqual(
      [
        ...expected.created.map((of) => `task_created ${of}`),
        ...expected.updated.map((of) => `task_updated ${of}`),
      ].sort(),
    )
    expect(rows.every(({ same }) => same)).toBe(true)
    const ids = rows.map(({ task_id }) => task_id)
    expect(ids).toEqual([...ids].sort((a, b) => a - b))
    const [{ count }] = (await database.rows<{ count: number }>(
      'SELECT count(*) AS count FROM events WHERE id > $1',
      [last],
    )) as [{ count: number }]
    expect(count).toBe(rows.length)
  }
}

test('random edits here and at the source are merged by the rule', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 50 }), async (steps) => {
      const schedule = new Schedule()
      for (const action of steps) await schedule.take(action)
      await schedule.take({ do: 'run', backwards: false })
      await schedule.take({ do: 'run', backwards: true })
    }),
    { numRuns: 60, endOnFailure: true },
  )
})
