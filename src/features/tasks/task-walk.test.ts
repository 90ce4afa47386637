import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { operator } from '../../core/actor.ts'
import type { ListTasks } from './list-schema.ts'
import { createTaskService } from './task-service.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database[Symbol.asyncDispose]())

const change = fc.record({ what: fc.constantFrom('create', 'trash', 'change'), which: fc.nat(1000) })
const sorts = [
  'id',
  '-id',
  'title',
  '-due_at,title',
  'due_at',
  '-priority',
  'updated_at',
  '-position',
  undefined,
]

test('whatever comes, goes and changes place meanwhile, a walk meets all that stay, each once', async () => {
  const property = fc.asyncProperty(
    fc.constantFrom(...sorts),
    fc.array(change, { minLength: 1, maxLength: 20 }),
    fc.integer({ min: 1, max: 5 }),
    async (sort, changes, limit) => {
      await database.rows('DELETE FROM tasks')
      await database.rows(
        `INSERT INTO tasks (title, due_at, priority, updated_at)
         SELECT 'report ' || n % 5, CASE WHEN n % 2 > 0 THEN timestamptz '2025-01-01Z' + n % 3 * interval '1 day' END,
           (ARRAY['none', 'urgent'])[1 + n % 2]::task_priority, CASE WHEN n % 3 > 0 THEN now() END
         FROM generate_series(1, 20) n`,
      )
      const tasks = createTaskService(database.db)
      const all = await database.rows<{ id: number }>('SELECT id FROM tasks ORDER BY id')
      const staying = new Set(all.map(({ id }) => id))
      const alter = async ({ what, which }: { what: string; which: number }) => {
        const id = all[which % all.length]!.id
        if (what === 'create') await tasks.create({ actor: operator }, { title: `report ${which % 7}` })
        else if (staying.has(id) && what === 'trash') await tasks.remove({ actor: operator }, id)
        else if (staying.has(id))
          await tasks.patch({ actor: operator }, id, { title: `report ${which % 7}`, priority: 'high' })
        if (what !== 'create') staying.delete(id)
      }
      const met: number[] = []
      const query: ListTasks = { skip: 0, limit, ...(sort ? { sort } : { q: 'report' }) }
      for (let cursor: string | undefined = ''; cursor !== undefined; ) {
        const { rows, next } = await tasks.list(operator, { ...query, cursor })
        met.push(...rows.map(({ id }) => id))
        cursor = next && 'cursor' in next ? next.cursor : undefined
        const one = changes.shift()
        if (one) await alter(one)
        expect(met.length).toBeLessThan(200)
      }
      for (const id of staying) expect(met.filter((one) => one === id)).toEqual([id])
      const gone = all.filter(({ id }) => !staying.has(id)).map(({ id }) => id)
      // A task that changed during the iteration may be missed or met twice; a new task is met once at most.
      const others = met.filter((id) => !gone.includes(id))
      expect(new Set(others).size).toBe(others.length)
    },
  )
  await fc.assert(property, { numRuns: 60 })
})
