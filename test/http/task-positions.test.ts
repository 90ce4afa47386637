import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { bearer, register, registerAdmin } from '../support/accounts.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { expectProblem } from '../support/problem.ts'

let app: TestApp
let all: number[]
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app[Symbol.asyncDispose]())
beforeEach(async () => {
  await app.database.rows('DELETE FROM tasks')
  all = []
  for (let i = 0; i < 6; i++) all.push((await app.send('POST', '/tasks', { title: `Task ${i}` })).body.id)
})

const move = (id: number, position: unknown, headers?: Record<string, string>) =>
  app.send('PATCH', `/tasks/${id}`, { position }, headers)
const order = async (query = '') =>
  ((await app.fetch(`/tasks?sort=position${query}`)).body as { id: number }[]).map(({ id }) => id)
const places = async () => app.database.rows('SELECT id, position, version FROM tasks ORDER BY id')

test('a new task comes last, and each is moved where one says', async () => {
  const [a, b, c, d, e, f] = all as [number, number, number, number, number, number]
  expect(await order()).toEqual(all)
  const moved = await move(f, { before: b })
  expect(moved).toMatchObject({ status: 200, body: { id: f, version: 2 } })
  expect(await order()).toEqual([a, f, b, c, d, e])
  await move(a, { after: c })
  expect(await order()).toEqual([f, b, c, a, d, e])
  await move(e, { at: 'first' })
  await move(d, { before: e })
  expect(await order()).toEqual([d, e, f, b, c, a])
  await move(d, { at: 'last' })
  await move(f, { after: d })
  expect(await order()).toEqual([e, b, c, a, d, f])
  const { id } = (await app.send('POST', '/tasks', { title: 'New' })).body
  expect(await order()).toEqual([e, b, c, a, d, f, id])
})

test('a move is one row and one event, and none where the task stands already', async () => {
  const [a, b, c] = all as [number, number, number]
  const before = await places()
  for (const [id, position] of [
    [b, { after: a }],
    [b, { before: c }],
  ] as const)
    expect((await move(id, position)).body.version).toBe(1)
  expect(await places()).toEqual(before)
  const [{ events }] = (await app.database.rows('SELECT count(*) AS events FROM events')) as [
    { events: number },
  ]
  await move(c, { before: b })
  const after = await places()
  expect(after.filter((row, i) => JSON.stringify(row) !== JSON.stringify(before[i]))).toHaveLength(1)
  expect(await app.database.rows('SELECT count(*) AS events FROM events')).toEqual([{ events: events + 1 }])
})

test('any moves, of which some go to the trash, give the order of a plain list', async () => {
  const place = fc.nat(5)
  const step = fc.oneof(
    fc.record({ task: place, side: fc.constantFrom('before', 'after'), other: place }),
    fc.record({ task: place, at: fc.constantFrom('first', 'last') }),
    fc.record({ task: place, trash: fc.boolean() }),
  )
  const property = fc.asyncProperty(fc.array(step, { maxLength: 15 }), async (steps) => {
    // Those in the trash keep their place in it.
    const model = await order()
    const trashed = new Set<number>()
    for (const action of steps) {
      const id = all[action.task]!
      if ('trash' in action) {
        if (action.trash === trashed.has(id)) continue
        if (action.trash) await app.fetch(`/tasks/${id}`, { method: 'DELETE' })
        else await app.fetch(`/tasks/${id}/restore`, { method: 'POST' })
        if (action.trash) trashed.add(id)
        else trashed.delete(id)
        continue
      }
      const target = 'other' in action ? all[action.other]! : undefined
      const position = 'at' in action ? { at: action.at } : { [action.side]: target }
      const { status } = await move(id, position)
      if (target === id || trashed.has(target!)) expect(status).toBe(422)
      else if (trashed.has(id)) expect(status).toBe(404)
      else {
        model.splice(model.indexOf(id), 1)
        if ('at' in action) model.splice(action.at === 'first' ? 0 : model.length, 0, id)
        else model.splice(model.indexOf(target!) + (action.side === 'after' ? 1 : 0), 0, id)
      }
      expect(await order()).toEqual(model.filter((one) => !trashed.has(one)))
    }
    for (const id of trashed) await app.fetch(`/tasks/${id}/restore`, { method: 'POST' })
    expect(await order()).toEqual(model)
  })
  await fc.assert(property, { numRuns: 40 })
})

test('moves into one gap at the same time all find a place of their own in it', async () => {
  const [a, b, ...rest] = all as [number, number, ...number[]]
  const answers = await Promise.all([
    ...rest.map((id) => move(id, { after: a })),
    ...rest.map((id) => move(id, { before: b })),
  ])
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
  const now = await order()
  expect([now[0], now.at(-1)]).toEqual([a, b])
  const [{ distinct }] = (await app.database.rows(
    'SELECT count(DISTINCT position) AS distinct FROM tasks',
  )) as [{ distinct: number }]
  expect(distinct).toBe(all.length)
})

test('a move comes with other changes, or not at all', async () => {
  const [a, b, c] = all as [number, number, number]
  const stale = await app.send(
    'PATCH',
    `/tasks/${c}`,
    { position: { before: a }, title: 'x' },
    { 'if-match': '"9"' },
  )
  expectProblem(stale, 412)
  expect(await order()).toEqual(all)
  const body = { position: { before: b }, status: 'in_progress', labels: ['doing'] }
  const key = { 'idempotency-key': 'once' }
  const moved = await app.send('PATCH', `/tasks/${c}`, body, key)
  expect(moved.body).toMatchObject({ status: 'in_progress', labels: ['doing'], version: 2 })
  const again = await app.send('PATCH', `/tasks/${c}`, body, key)
  expect([again.headers.get('idempotency-replayed'), again.body]).toEqual(['true', moved.body])
  expect((await order()).slice(0, 3)).toEqual([a, c, b])
})

test.each([
  [{}, 'body.position'],
  [{ before: 1, after: 2 }, 'body.position'],
  [{ at: 'first', before: 1 }, 'body.position'],
  [{ at: 'top' }, 'body.position.at'],
  [{ before: '1' }, 'body.position.before'],
  [{ before: 0 }, 'body.position.before'],
  [{ before: 2_147_483_648 }, 'body.position.before'],
  [{ after: null }, 'body.position.after'],
  [{ behind: 1 }, 'body.position.behind'],
  [{ before: 2_147_483_647 }, 'body.position.before'],
  ['80000001i', 'body.position'],
  [null, 'body.position'],
])('the position %j is 422 at %s', async (position, path) => {
  const before = await places()
  const answer = await move(all[0]!, position)
  expectProblem(answer, 422)
  expect(answer.body.errors.map((error: { path: string }) => error.path)).toContain(path)
  expect(await places()).toEqual(before)
})

test('a position is set by PATCH only', async () => {
  for (const [method, path] of [
    ['POST', '/tasks'],
    ['PUT', `/tasks/${all[0]}`],
  ] as const) {
    const answer = await app.send(method, path, { title: 'x', position: { at: 'first' } })
    expectProblem(answer, 422)
    expect(answer.body.errors[0].path).toBe('body.position')
  }
})

test('there is an end to the room in one gap, and that changes nothing', async () => {
  const [a, b, c] = all as [number, number, number]
  await app.database.rows('UPDATE tasks SET position = $2 WHERE id = $1', [a, `80000001${'z'.repeat(999)}`])
  await app.database.rows('UPDATE tasks SET position = $2 WHERE id = $1', [b, '80000002'])
  const before = await places()
  expectProblem(await move(c, { before: b }), 409)
  expect(await places()).toEqual(before)
})

test('one moves own tasks by own tasks only; an admin all', async () => {
  const anna = bearer((await register(app, 'anna')).access_token)
  const boris = bearer((await register(app, 'boris')).access_token)
  const root = bearer((await registerAdmin(app, 'root')).access_token)
  const make = async (headers: Record<string, string>) =>
    (await app.send('POST', '/tasks', { title: 'Own' }, headers)).body.id as number
  const [one, foreign, two] = [await make(anna), await make(boris), await make(anna)]
  const before = await places()
  expectProblem(await move(one, { after: foreign }, anna), 403)
  expectProblem(await move(foreign, { after: one }, anna), 403)
  expectProblem(await move(foreign, { at: 'first' }, anna), 403)
  expect(await places()).toEqual(before)
  expect((await move(two, { before: one }, anna)).status).toBe(200)
  const own = await app.fetch('/tasks?sort=position', { headers: anna })
  expect(own.body.map(({ id }: { id: number }) => id)).toEqual([two, one])
  expect((await move(foreign, { before: two }, root)).status).toBe(200)
  expect((await order()).slice(-3)).toEqual([foreign, two, one])
})
