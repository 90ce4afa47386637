import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Answer, startTestApp, type TestApp } from '../support/app.ts'
import { waitsForALock } from '../support/locks.ts'
import { stateOf } from '../support/task-state.ts'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app[Symbol.asyncDispose]())

const batch = (operations: unknown) => app.send('POST', '/tasks/batch', { operations })
const created = async (count: number): Promise<number[]> => {
  const { body } = await batch(Array.from({ length: count }, () => ({ op: 'create', task: { title: 'a' } })))
  return body.results.map(({ id }: { id: number }) => id)
}
test('a batch waits for who changes its tasks; two on the same tasks, in opposite orders, are both done', async () => {
  const ids = await created(40)
  await using session = await app.database.db.session()
  await session.query({ text: 'BEGIN' })
  await session.query({ text: 'UPDATE tasks SET version = version WHERE id = $1', values: [ids[20]] })
  const updates = (title: string, order: number[]) =>
    batch(order.map((id) => ({ op: 'update', id, task: { title } })))
  const both = Promise.all([updates('x', ids), updates('y', ids.toReversed())])
  await waitsForALock(app.database)
  await session.query({ text: 'COMMIT' })
  expect((await both).map(({ status }) => status)).toEqual([200, 200])
  const rows = await app.database.rows<{ title: string; version: number }>(
    'SELECT DISTINCT title, version FROM tasks WHERE id = ANY ($1)',
    [ids],
  )
  expect(rows).toEqual([{ title: expect.stringMatching(/^[xy]$/), version: 3 }])
})

test('batches that move tasks, and single moves of the same, are all done at once', async () => {
  const ids = await created(12)
  const moves = (by: number) =>
    ids.map((_, i) => {
      const [id, target] = [ids[(i * by) % 12], ids[(i * by + 5) % 12]]
      return { op: 'update', id, task: { title: `${by}`, position: { after: target } } }
    })
  const answers = await Promise.all([
    ...[1, 5, 7, 11, 1, 5, 7, 11].map((by) => batch(moves(by))),
    ...ids.map((id, i) => app.send('PATCH', `/tasks/${id}`, { position: { before: ids[(i + 1) % 12] } })),
  ])
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
  const [{ deadlocks }] = (await app.database.rows<{ deadlocks: number }>(
    'SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()',
  )) as [{ deadlocks: number }]
  expect(deadlocks).toBe(0)
})

/** An operation on one of four tasks, or a creation. */
const place = fc.nat(3)
const fields = fc.record(
  {
    title: fc.constantFrom('a', 'b'),
    description: fc.constantFrom(null, 'c'),
    status: fc.constantFrom('todo', 'done', 'New'),
    completed: fc.boolean(),
    priority: fc.constantFrom('none', 'high'),
    labels: fc.constantFrom([], ['x'], ['x', 'y']),
    due_at: fc.constantFrom(null, '2025-12-31T09:00:00Z'),
  },
  { requiredKeys: [] },
)
const version = fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined, freq: 3 })
type Step = { op: string; place: number; version: number | undefined; task: Record<string, unknown> }
const step: fc.Arbitrary<Step> = fc.record({
  op: fc.constantFrom('create', 'update', 'update', 'update', 'delete'),
  place,
  version,
  task: fields,
})

test('a batch does what its operations do one by one, up to the first that fails, and then nothing', async () => {
  const one = ({ op, place, version, task }: Step, ids: number[]) => {
    const headers = version === undefined ? {} : { 'if-match': `"${version}"` }
    if (op === 'create') return app.send('POST', '/tasks', { title: 'n', ...task })
    const path = `/tasks/${ids[place]}`
    return op === 'update'
      ? app.send('PATCH', path, task, headers)
      : app.fetch(path, { method: 'DELETE', headers })
  }
  const plain = ({
    id: _id,
    position: _position,
    created_at: _created,
    updated_at,
    ...rest
  }: Record<string, unknown>) => ({
    ...rest,
    isChanged: updated_at !== null,
  })
  const property = fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
    const [single, together] = [await created(4), await created(4)]
    const expected: Answer[] = []
    for (const each of steps) {
      expected.push(await one(each, single))
      if (expected.at(-1)!.status >= 400) break
    }
    const before = await stateOf(app)
    const answer = await batch(
      steps.map(({ op, place, version, task }) => {
        if (op === 'create') return { op, task: { title: 'n', ...task } }
        const target = { op, id: together[place], ...(version !== undefined && { version }) }
        return op === 'update' ? { ...target, task } : target
      }),
    )
    const last = expected.at(-1)!
    if (last.status < 400) {
      expect(answer.status).toBe(200)
      const tasks = answer.body.results.map(({ task = {} }: { task?: Record<string, unknown> }) =>
        plain(task),
      )
      expect(tasks).toEqual(expected.map(({ body }) => plain(body || {})))
      return
    }
    expect(await stateOf(app)).toEqual(before)
    // What needs no look at the tasks is told first.
    if (answer.status === 422) return
    expect([answer.status, answer.body.errors[0].path]).toEqual([
      last.status,
      `body.operations.${expected.length - 1}`,
    ])
  })
  await fc.assert(property, { numRuns: 60 })
}, 60_000)
