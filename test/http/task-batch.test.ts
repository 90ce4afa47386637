import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bearer, login, register, registerAdmin } from '../support/accounts.ts'
import { type Answer, startTestApp, type TestApp } from '../support/app.ts'
import { eventually } from '../support/eventually.ts'
import { jobIs } from '../support/jobs.ts'
import { expectProblem } from '../support/problem.ts'
import { stateOf } from '../support/task-state.ts'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app[Symbol.asyncDispose]())

const batch = (operations: unknown, headers: Record<string, string> = {}) =>
  app.send('POST', '/tasks/batch', { operations }, headers)
const create = async (body: object, headers: Record<string, string> = {}): Promise<number> =>
  (await app.send('POST', '/tasks', body, headers)).body.id

const state = () => stateOf(app)

/** What was told since an event, oldest first. */
const toldSince = (id: number) =>
  app.database.rows<{ type: string; id: number; version: number | null }>(
    `SELECT type, coalesce(data ->> 'id', data ->> 'task_id')::integer AS id, (data ->> 'version')::integer AS version
     FROM events WHERE id > $1 ORDER BY events.id`,
    [id],
  )
const lastEvent = async () =>
  (await app.database.rows<{ id: number }>('SELECT coalesce(max(id), 0) AS id FROM events'))[0]!.id

/** Fails unless the batch was refused because of this operation. */
function expectRefused(answer: Answer, status: number, path: string): void {
  expectProblem(answer, status)
  expect(answer.body.errors[0].path).toBe(path)
}

test('operations are done in their order, and told in it; the answer has a result for each', async () => {
  const [first, second] = [await create({ title: 'First' }), await create({ title: 'Second' })]
  const before = await lastEvent()
  const { status, body } = await batch([
    { op: 'create', task: { title: ' New ', description: 'x', completed: true } },
    { op: 'create', task: { title: 'Newer' } },
    { op: 'update', id: first, task: { status: 'In Progress', city: 'Omsk' } },
    { op: 'update', id: first, version: 2, task: { title: 'First again' } },
    { op: 'delete', id: second },
    { op: 'create', task: { title: 'Newest' } },
    { op: 'update', id: first, task: {} },
  ])
  expect(status).toBe(200)
  const [a, b, , last, deleted, c] = body.results
  expect(body.results.map(({ op }: { op: string }) => op)).toEqual(
    'create create update update delete create update'.split(' '),
  )
  expect(a.task).toMatchObject({ id: a.id, title: 'New', description: 'x', status: 'done', version: 1 })
  expect(last).toMatchObject({ id: first, task: { title: 'First again', city: 'Omsk', version: 3 } })
  expect(deleted).toEqual({ op: 'delete', id: second })
  expect(body.results[6].task).toEqual(last.task)
  expect((await app.fetch(`/tasks/${first}`)).body).toEqual(last.task)
  expect((await app.fetch(`/tasks/${c.id}`)).body).toEqual(c.task)
  expect((await app.fetch(`/tasks/${second}`)).status).toBe(404)
  expect((await toldSince(before)).map(({ type, id }) => [type, id])).toEqual([
    ['task_created', a.id],
    ['task_created', b.id],
    ['task_updated', first],
    ['task_updated', first],
    ['task_deleted', second],
    ['task_created', c.id],
  ])
})

test('every field can be given, and a move sees the moves before it', async () => {
  const [a, b, c] = (
    await batch(['a', 'b', 'c'].map((title) => ({ op: 'create', task: { title } })))
  ).body.results.map(({ id }: { id: number }) => id)
  const full = { priority: 'urgent', due_at: '2025-12-31T12:00:00+03:00', labels: ['x', 'y, z', 'x'] }
  const { status, body } = await batch([
    { op: 'create', task: { title: 'full', ...full } },
    { op: 'update', id: a, task: { position: { at: 'first' } } },
    { op: 'update', id: c, task: { position: { after: a } } },
    { op: 'update', id: b, task: { position: { before: a }, ...full } },
    { op: 'update', id: a, task: { position: { after: c } } },
    { op: 'delete', id: c },
  ])
  expect(status).toBe(200)
  const told = { priority: 'urgent', due_at: '2025-12-31T09:00:00.000000Z', labels: ['x', 'y, z'] }
  expect(body.results[0].task).toMatchObject(told)
  expect(body.results[3].task).toMatchObject(told)
  const order = await app.database.rows<{ id: number }>(
    'SELECT id FROM tasks WHERE id = ANY ($1) ORDER BY position',
    [[a, b, c]],
  )
  expect(order.map(({ id }) => id)).toEqual([b, c, a])
  const before = await state()
  const answer = await batch([
    { op: 'delete', id: b },
    { op: 'update', id: a, task: { position: { after: b } } },
    { op: 'create', task: { title: 'x' } },
  ])
  expectRefused(answer, 422, 'body.operations.1.task.position.after')
  expect(await state()).toEqual(before)
})

test('500 creates are done, in their order; 501 are refused', async () => {
  const operations = Array.from({ length: 501 }, (_, i) => ({ op: 'create', task: { title: `Task ${i}` } }))
  const { status, body } = await batch(operations.slice(1))
  expect(status).toBe(200)
  expect(body.results.map(({ task }: { task: { title: string } }) => task.title)).toEqual(
    operations.slice(1).map(({ task }) => task.title),
  )
  const ids = body.results.map(({ id }: { id: number }) => id)
  expect(ids).toEqual(ids.toSorted((one: number, other: number) => one - other))
  const before = await state()
  expectRefused(await batch(operations), 422, 'body.operations')
  expect(await state()).toEqual(before)
})

describe('one operation that fails', () => {
  let mine: number
  let busy: number
  beforeAll(async () => {
    mine = await create({ title: 'Mine' })
    busy = await create({ title: 'Busy', job: { type: 'noop', input: { duration_ms: 600_000 } } })
    await jobIs(app, busy, 'running')
  })
  afterAll(async () => {
    await app.fetch(`/tasks/${busy}`, { method: 'DELETE' })
    await eventually(async () => (await state()).queued[0]!.count === 0, 'the queue is empty')
  })

  test.each<[string, () => object, number, string?]>([
    ['an absent task', () => ({ op: 'update', id: 2_147_483_647, task: { title: 'x' } }), 404],
    ['the deletion of an absent task', () => ({ op: 'delete', id: 2_147_483_647 }), 404],
    ['another version', () => ({ op: 'update', id: mine, version: 7, task: { title: 'x' } }), 412],
    ['the deletion of another version', () => ({ op: 'delete', id: mine, version: 7 }), 412],
    ['what is the worker’s business', () => ({ op: 'update', id: busy, task: { status: 'done' } }), 409],
    [
      'a contradiction',
      () => ({ op: 'create', task: { title: 'x', status: 'todo', completed: true } }),
      422,
      '.task.completed',
    ],
    [
      'a job that is done',
      () => ({ op: 'create', task: { title: 'x', status: 'done', job: { type: 'noop' } } }),
      422,
      '.task.status',
    ],
    ['a title that is missing', () => ({ op: 'create', task: {} }), 422, '.task.title'],
    ['an empty title', () => ({ op: 'update', id: mine, task: { title: ' ' } }), 422, '.task.title'],
    ['NUL', () => ({ op: 'create', task: { title: 'a\0b' } }), 422, '.task.title'],
    ['NUL in the input of a job', () => httpJob({ body: 'a\0' }), 422, '.task.job.input'],
    [
      'an unknown job',
      () => ({ op: 'create', task: { title: 'x', job: { type: 'rm' } } }),
      422,
      '.task.job.type',
    ],
    ['an unknown field', () => ({ op: 'update', id: mine, task: { id: 5 } }), 422, '.task.id'],
    ['an unknown part', () => ({ op: 'delete', id: mine, force: true }), 422, '.force'],
    ['an unknown operation', () => ({ op: 'upsert', id: mine, task: {} }), 422, '.op'],
    ['no operation', () => ({ id: mine, task: {} }), 422, '.op'],
    ['no id', () => ({ op: 'delete' }), 422, '.id'],
    ['a huge id', () => ({ op: 'delete', id: 2_147_483_648 }), 422, '.id'],
    ['an id that is text', () => ({ op: 'delete', id: String(mine) }), 422, '.id'],
    ['a version that is a tag', () => ({ op: 'delete', id: mine, version: '"1"' }), 422, '.version'],
    ['an update without a task', () => ({ op: 'update', id: mine }), 422, '.task'],
  ])('%s: the batch is refused, says where, and changes nothing', async (_name, wrong, status, at = '') => {
    const good = [
      { op: 'create', task: { title: 'Good' } },
      { op: 'create', task: { title: 'Good', job: { type: 'noop' } } },
      { op: 'update', id: mine, task: { title: 'Changed' } },
    ]
    const before = await state()
    const answer = await batch([...good, wrong(), { op: 'delete', id: mine }])
    expectRefused(answer, status, `body.operations.3${at}`)
    expect(await state()).toEqual(before)
  })

  const httpJob = (more: object) => ({
    op: 'create',
    task: { title: 'x', job: { type: 'http', input: { url: 'https://example.com/', ...more } } },
  })

  test('what comes after a deletion of the same task does not find it', async () => {
    const before = await state()
    const answer = await batch([
      { op: 'delete', id: mine },
      { op: 'update', id: mine, task: { title: 'x' } },
    ])
    expectRefused(answer, 404, 'body.operations.1')
    expect(await state()).toEqual(before)
  })
})

test.each<[unknown, string]>([
  [{}, 'body.operations'],
  [{ operations: [] }, 'body.operations'],
  [{ operations: {} }, 'body.operations'],
  [{ operations: null }, 'body.operations'],
  [{ operations: ['create'] }, 'body.operations.0'],
  [{ operations: [null] }, 'body.operations.0'],
  [{ operations: [[]] }, 'body.operations.0'],
  [{ operations: [{ op: 'create', task: { title: 'x' } }], atomic: false }, 'body.atomic'],
  [[{ op: 'create', task: { title: 'x' } }], 'body'],
  ['create', 'body'],
])('the body %j is refused', async (body, path) => {
  const before = await state()
  expectRefused(await app.send('POST', '/tasks/batch', body), 422, path)
  expect(await state()).toEqual(before)
})

test('a body of 2 MB is taken, a million operations or 7 MB are not', async () => {
  const task = { title: 'Long', description: 'ы'.repeat(10_000) }
  const { status, body } = await batch(Array(110).fill({ op: 'create', task }))
  expect([status, body.results.length]).toEqual([200, 110])
  const before = await state()
  expectRefused(await batch(Array(1_000_000).fill(0)), 422, 'body.operations')
  expectProblem(await batch([{ op: 'create', task: { title: 'x', description: 'x'.repeat(7e6) } }]), 413)
  expectProblem(await app.send('POST', '/tasks/batch'), 422)
  expect(await state()).toEqual(before)
})

test('jobs that are created are run, those of deleted tasks are cancelled', async () => {
  const long = await create({ title: 'Long', job: { type: 'noop', input: { duration_ms: 600_000 } } })
  const { status, body } = await batch([
    { op: 'create', task: { title: 'Plain' } },
    { op: 'create', task: { title: 'One', job: { type: 'noop' } } },
    { op: 'create', task: { title: 'Two', job: { type: 'noop', input: { failures: 1 }, max_attempts: 1 } } },
    { op: 'delete', id: long },
  ])
  expect(status).toBe(200)
  expect(body.results[0].task.job).toBeNull()
  expect(body.results[1].task).toMatchObject({ title: 'One', job: { state: 'queued' } })
  await jobIs(app, body.results[1].id, 'succeeded')
  await jobIs(app, body.results[2].id, 'failed')
  const [row] = await app.database.rows<{ state: string }>(
    "SELECT job ->> 'state' AS state FROM tasks WHERE id = $1",
    [long],
  )
  expect(row!.state).toBe('failed')
})

test('each change has its line in the log: who, which task, which fields, and no value', async () => {
  await using closed = await startTestApp({ AUTH_MODE: 'required' })
  const { user, access_token } = await register(closed, 'anna')
  const send = (method: string, path: string, body?: object) =>
    closed.send(method, path, body, bearer(access_token))
  const task = { title: 'hidden', description: 'hidden', city: 'hidden' }
  const { id } = (await send('POST', '/tasks', task)).body
  await send('PATCH', `/tasks/${id}`, { title: 'hidden', status: 'done', city: 'hidden' })
  await send('PATCH', `/tasks/${id}`, { status: 'done' })
  await send('PUT', `/tasks/${id}`, { title: 'hidden too' })
  await send('DELETE', `/tasks/${id}`)
  await closed.fetch(`/tasks/${id}/restore`, { method: 'POST', headers: bearer(access_token) })
  const { body } = await send('POST', '/tasks/batch', {
    operations: [
      { op: 'create', task: { title: 'hidden' } },
      { op: 'update', id, task: { title: 'hidden too' } },
      { op: 'update', id, task: { description: 'hidden', city: null } },
      { op: 'delete', id },
    ],
  })
  const who = { user: 'anna', userId: user.id, reqId: expect.any(String) }
  const line = (msg: string, taskId: number, ...fields: string[]) => ({
    level: 30,
    time: expect.anything(),
    ...who,
    taskId,
    ...(fields.length > 0 && { fields }),
    msg,
  })
  const lines = closed.logged.filter(({ msg }) => /^task /.test(String(msg)))
  expect(lines.map(({ pid: _pid, hostname: _hostname, ...rest }) => rest)).toEqual([
    line('task created', id, 'title', 'description', 'city'),
    line('task updated', id, 'status'),
    line('task replaced', id, 'title', 'description', 'status', 'city'),
    line('task deleted', id),
    line('task restored', id),
    line('task created', body.results[0].id, 'title'),
    line('task updated', id, 'description'),
    line('task deleted', id),
  ])
  expect(JSON.stringify(closed.logged)).not.toContain('hidden')
})

describe('who may', () => {
  let closed: TestApp
  beforeAll(async () => {
    closed = await startTestApp({ AUTH_MODE: 'required' })
  })
  afterAll(() => closed[Symbol.asyncDispose]())

  const send = (token: string, operations: object[], headers: Record<string, string> = {}) =>
    closed.send('POST', '/tasks/batch', { operations }, { ...bearer(token), ...headers })
  const rows = () => closed.database.rows('SELECT * FROM tasks ORDER BY id')
  const taskOf = async (token: string) =>
    (await closed.send('POST', '/tasks', { title: 'theirs' }, bearer(token))).body.id as number

  test('a task of somebody else is 403 and nothing changes, for an admin it is a task', async () => {
    const [anna, boris, root] = [
      await register(closed, 'anna'),
      await register(closed, 'boris'),
      await registerAdmin(closed, 'root'),
    ]
    const foreign = await taskOf(boris.access_token)
    const before = await rows()
    for (const operation of [
      { op: 'update', id: foreign, task: { title: 'mine now' } },
      { op: 'delete', id: foreign },
    ]) {
      const answer = await send(anna.access_token, [{ op: 'create', task: { title: 'x' } }, operation])
      expectRefused(answer, 403, 'body.operations.1')
    }
    expect(await rows()).toEqual(before)
    const { status, body } = await send(root.access_token, [
      { op: 'update', id: foreign, task: { title: 'changed' } },
      { op: 'create', task: { title: 'own' } },
    ])
    expect(status).toBe(200)
    expect(body.results.map(({ task }: { task: { user_id: number } }) => task.user_id)).toEqual([
      boris.user.id,
      root.user.id,
    ])
    const reader = await closed.send(
      'POST',
      '/auth/tokens',
      { name: 'reader', scopes: ['read'] },
      bearer(anna.access_token),
    )
    expectRefused(
      await send(reader.body.token, [{ op: 'create', task: { title: 'x' } }]),
      403,
      'body.operations.0',
    )
    expectProblem(
      await closed.send('POST', '/tasks/batch', { operations: [{ op: 'delete', id: foreign }] }),
      401,
    )
  })

  test('a kept answer is for who may still see what it shows', async () => {
    const owner = await register(closed, 'olga')
    const id = await taskOf(owner.access_token)
    const admin = await registerAdmin(closed, 'ada')
    const operations = [{ op: 'update', id, task: { title: 'secret' } }]
    const key = { 'idempotency-key': 'once' }
    expect((await send(admin.access_token, operations, key)).status).toBe(200)
    await closed.database.rows("UPDATE users SET role = 'user' WHERE username = 'ada'")
    const refused = await send((await login(closed, 'ada')).access_token, operations, key)
    expectProblem(refused, 403)
    expect(JSON.stringify(refused.body)).not.toContain('secret')
  })
})

test('with a key a batch is done once, however often it comes at once', async () => {
  const operations = Array.from({ length: 20 }, () => ({ op: 'create', task: { title: 'keyed' } }))
  const key = { 'idempotency-key': 'a batch' }
  const answers = await Promise.all(Array.from({ length: 5 }, () => batch(operations, key)))
  const again = await batch(operations, key)
  expect([again.status, again.headers.get('idempotency-replayed')]).toEqual([200, 'true'])
  for (const { status, body } of answers) {
    if (status === 200) expect(body).toEqual(again.body)
    else expect(status).toBe(409)
  }
  const [row] = await app.database.rows<{ count: number }>(
    "SELECT count(*) AS count FROM tasks WHERE title = 'keyed'",
  )
  expect(row!.count).toBe(20)
  expectProblem(await batch(operations.slice(1), key), 422)
})
