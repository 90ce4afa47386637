import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bearer, register, registerAdmin } from '../support/accounts.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { eventually } from '../support/eventually.ts'
import { createJob, jobIs } from '../support/jobs.ts'
import { listen } from '../support/listener.ts'
import { expectProblem } from '../support/problem.ts'
import { startUpstream } from '../support/upstream.ts'

const LONG = { type: 'noop', input: { duration_ms: 600_000 } }
let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app[Symbol.asyncDispose]())

const runs = async (id: number) => (await app.fetch(`/tasks/${id}/runs`)).body

describe('a POST without a body', () => {
  const json = { 'content-type': 'application/json' }
  test.each([
    ['and without a type', '/tasks', {}],
    ['to the address with a slash', '/tasks/', {}],
    ['of the JSON type', '/tasks', { headers: json }],
    ['of the JSON type, of no bytes', '/tasks', { headers: json, body: '' }],
  ])('%s makes an untitled executable task, which a worker does', async (_name, path, init) => {
    const { status, body, headers } = await app.fetch(path, { method: 'POST', ...init })
    expect(status).toBe(201)
    expect(headers.get('location')).toBe(`/tasks/${body.id}`)
    expect(body).toMatchObject({ title: 'Untitled task', status: 'todo', description: null, user_id: null })
    expect(body.job).toEqual({
      type: 'noop',
      input: {},
      state: 'queued',
      attempts: 0,
      max_attempts: 5,
      due_at: body.created_at,
      result: null,
      error: null,
    })
    const done = await jobIs(app, body.id, 'succeeded')
    expect(done).toMatchObject({
      status: 'done',
      version: 3,
      job: { attempts: 1, result: null, error: null },
    })
  })

  test('is done once for one key', async () => {
    const init = { method: 'POST', headers: { 'idempotency-key': 'no body' } }
    const [first, again] = [await app.fetch('/tasks', init), await app.fetch('/tasks', init)]
    expect(again.body).toEqual(first.body)
    expect(again.headers.get('idempotency-replayed')).toBe('true')
    await jobIs(app, first.body.id, 'succeeded')
  })
})

test('each step is an event with the task as REST shows it', async () => {
  const listener = await listen(`${app.url.replace('http', 'ws')}/ws/tasks`)
  const made = await createJob(app, { type: 'noop', input: { failures: 1 }, max_attempts: 2 })
  const done = await jobIs(app, made.id, 'succeeded')
  await eventually(() => listener.events.length >= 5, 'five events')
  const told = listener.events.map(({ type, data }) => ({ type, task: data.task as typeof done | undefined }))
  expect(told.map(({ type, task }) => [type, task?.status, task?.job.state, task?.job.attempts])).toEqual([
    ['task_created', 'todo', 'queued', 0],
    ['task_updated', 'in_progress', 'running', 1],
    ['task_updated', 'todo', 'queued', 1],
    ['task_updated', 'in_progress', 'running', 2],
    ['task_updated', 'done', 'succeeded', 2],
  ])
  expect(told[0]!.task).toEqual(made)
  expect(told[2]!.task!.job).toMatchObject({ error: 'failed as asked, 1 of 1', result: null })
  // It waits between half of 2 s and the whole of it.
  const { due_at, ...again } = told[2]!.task!.job
  const wait = Date.parse(due_at) - Date.parse((await runs(made.id))[1].finished_at)
  expect(wait).toBeGreaterThan(900)
  expect(wait).toBeLessThan(2_100)
  expect(again.error).toContain('failed')
  expect(told[4]!.task).toEqual(done)
  expect(done.version).toBe(5)
  expect(await runs(made.id)).toEqual([
    expect.objectContaining({ number: 2, attempt: 2, state: 'succeeded', error: null }),
    expect.objectContaining({ number: 1, attempt: 1, state: 'failed', error: 'failed as asked, 1 of 1' }),
  ])
  listener.close()
})

test('a job whose last attempt fails has failed, and can be retried with all its attempts', async () => {
  const { id } = await createJob(app, { type: 'noop', input: { failures: 1 }, max_attempts: 1 })
  const failed = await jobIs(app, id, 'failed')
  expect(failed).toMatchObject({ status: 'failed', job: { attempts: 1, error: 'failed as asked, 1 of 1' } })
  const retried = await app.fetch(`/tasks/${id}/retry`, { method: 'POST' })
  expect(retried.status).toBe(200)
  expect(retried.headers.get('etag')).toBe(`"${failed.version + 1}"`)
  expect(retried.body).toMatchObject({ status: 'todo', job: { state: 'queued', attempts: 0 } })
  expect(await jobIs(app, id, 'failed')).toMatchObject({ job: { attempts: 1 } })
  expect((await runs(id)).map(({ number, attempt }: never) => [number, attempt])).toEqual([
    [2, 1],
    [1, 1],
  ])
})

test('a job that is due already is about to be run: a retry changes nothing', async () => {
  const { id } = await createJob(app, { type: 'noop', input: { failures: 1 } })
  await eventually(async () => (await app.fetch(`/tasks/${id}`)).body.job.error, 'it has failed once')
  // Its worker has not come by yet.
  await app.database.rows(
    `UPDATE tasks SET job = job || '{"due_at": "2025-12-15T12:00:00.000000Z"}' WHERE id = $1 AND job ->> 'state' = 'queued'`,
    [id],
  )
  const { body: due } = await app.fetch(`/tasks/${id}`)
  const { status, body } = await app.fetch(`/tasks/${id}/retry`, { method: 'POST' })
  expect([status, body]).toEqual([200, due])
  expect(await jobIs(app, id, 'succeeded')).toMatchObject({ job: { attempts: 2 } })
})

test('a job that waits for its next attempt is retried at once', async () => {
  const { id } = await createJob(app, { type: 'noop', input: { failures: 4 }, max_attempts: 10 })
  for (let attempt = 1; attempt <= 4; attempt++) {
    await eventually(async () => {
      const { body } = await app.fetch(`/tasks/${id}`)
      return body.job.state === 'queued' && body.job.attempts === attempt
    }, `attempt ${attempt} has failed`)
    expect((await app.fetch(`/tasks/${id}/retry`, { method: 'POST' })).status).toBe(200)
  }
  // By backoff alone it would have taken 15 s at least.
  expect(await jobIs(app, id, 'succeeded')).toMatchObject({ job: { attempts: 5 } })
})

describe('cancel', () => {
  test('stops a job that runs', async () => {
    const { id } = await createJob(app, LONG)
    await jobIs(app, id, 'running')
    const { status, body } = await app.fetch(`/tasks/${id}/cancel`, { method: 'POST' })
    expect(status).toBe(200)
    expect(body).toMatchObject({ status: 'failed', job: { state: 'failed', error: 'cancelled' } })
    expect(await runs(id)).toEqual([expect.objectContaining({ state: 'cancelled', error: 'cancelled' })])
    await eventually(
      () => app.logged.some(({ msg, taskId }) => msg === 'job failed' && taskId === id),
      'it stops',
    )
    expect(await jobIs(app, id, 'failed')).toEqual(body)
    // The queue knows it no more.
    const tickets = "SELECT 1 FROM pgboss.job WHERE name = 'tasks' AND data ->> 'taskId' = $1"
    await eventually(async () => (await app.database.rows(tickets, [String(id)])).length === 0, 'no ticket')
  })

  test('of a job that waits for its next attempt keeps it from running', async () => {
    const { id } = await createJob(app, { type: 'noop', input: { failures: 1 } })
    await eventually(async () => (await app.fetch(`/tasks/${id}`)).body.job.error, 'it has failed once')
    const { body } = await app.fetch(`/tasks/${id}/cancel`, { method: 'POST' })
    expect(body.job).toMatchObject({ state: 'failed', error: 'cancelled', attempts: 1 })
    // Its ticket comes due, is found void, and goes.
    const tickets = "SELECT 1 FROM pgboss.job WHERE name = 'tasks' AND data ->> 'taskId' = $1"
    await eventually(async () => (await app.database.rows(tickets, [String(id)])).length === 0, 'no ticket')
    expect(await jobIs(app, id, 'failed')).toEqual(body)
    expect(await runs(id)).toHaveLength(1)
  })

  test('and retry of what is not in the state for it are conflicts that change nothing', async () => {
    const plain = (await app.send('POST', '/tasks', { title: 'Of people' })).body
    const done = await jobIs(app, (await createJob(app, { type: 'noop' })).id, 'succeeded')
    const running = await jobIs(app, (await createJob(app, LONG)).id, 'running')
    for (const [task, word, detail] of [
      [plain, 'retry', 'has no job'],
      [plain, 'cancel', 'has no job'],
      [done, 'retry', 'is succeeded and cannot be retried'],
      [done, 'cancel', 'is succeeded and cannot be cancelled'],
      [running, 'retry', 'is running and cannot be retried'],
    ]) {
      const answer = await app.fetch(`/tasks/${task.id}/${word}`, { method: 'POST' })
      expectProblem(answer, 409)
      expect(answer.body.detail).toContain(detail)
      expect((await app.fetch(`/tasks/${task.id}`)).body).toEqual(task)
    }
    expectProblem(await app.fetch('/tasks/2147483647/retry', { method: 'POST' }), 404)
    expectProblem(await app.fetch('/tasks/2147483647/cancel', { method: 'POST' }), 404)
    expectProblem(await app.fetch('/tasks/2147483647/runs'), 404)
    expectProblem(await app.fetch('/tasks/0/cancel', { method: 'POST' }), 422)
    await app.fetch(`/tasks/${running.id}/cancel`, { method: 'POST' })
  })

  test('and retry are done once for one key', async () => {
    const { id } = await createJob(app, { type: 'noop', input: { failures: 1 }, max_attempts: 1 })
    await jobIs(app, id, 'failed')
    const init = { method: 'POST', headers: { 'idempotency-key': 'retry once' } }
    const first = await app.fetch(`/tasks/${id}/retry`, init)
    await jobIs(app, id, 'failed')
    const again = await app.fetch(`/tasks/${id}/retry`, init)
    expect([again.status, again.body]).toEqual([200, first.body])
    expect(await runs(id)).toHaveLength(2)
  })
})

describe('by hand', () => {
  test('everything but the status of a pending job can be changed', async () => {
    const { id } = await createJob(app, LONG)
    const running = await jobIs(app, id, 'running')
    for (const [method, body] of [
      ['PATCH', { status: 'done' }],
      ['PATCH', { status: 'todo' }],
      ['PATCH', { completed: true, title: 'Done by hand' }],
      ['PUT', { title: 'Replaced' }],
    ] as const) {
      const answer = await app.send(method, `/tasks/${id}`, body)
      expectProblem(answer, 409)
      expect(answer.body.detail).toContain('its worker sets the status')
    }
    expect((await app.fetch(`/tasks/${id}`)).body).toEqual(running)
    for (const [method, body] of [
      ['PATCH', { title: 'Renamed' }],
      ['PATCH', { status: 'In Progress', description: 'running' }],
      ['PUT', { title: 'Replaced', status: 'in_progress' }],
      ['PATCH', { completed: false, city: 'Moscow' }],
    ] as const) {
      expect(await app.send(method, `/tasks/${id}`, body)).toMatchObject({ status: 200 })
    }
    const { body } = await app.fetch(`/tasks/${id}`)
    expect(body).toMatchObject({ title: 'Replaced', city: 'Moscow', status: 'in_progress', job: running.job })
    expect((await app.send('PATCH', `/tasks/${id}`, { status: 'done' }, { 'if-match': '"1"' })).status).toBe(
      412,
    )
    await app.fetch(`/tasks/${id}/cancel`, { method: 'POST' })
    // What has ended is everybody's again, and the job stays what it was.
    const reopened = await app.send('PATCH', `/tasks/${id}`, { status: 'done' })
    expect(reopened).toMatchObject({ status: 200, body: { completed: true, job: { state: 'failed' } } })
  })

  test('a task that is deleted ends its job, and is restored without it', async () => {
    const { id } = await createJob(app, LONG)
    await jobIs(app, id, 'running')
    expect((await app.send('DELETE', `/tasks/${id}`)).status).toBe(204)
    await eventually(
      () => app.logged.some(({ msg, taskId }) => msg === 'job failed' && taskId === id),
      'it stops',
    )
    const { body } = await app.fetch(`/tasks/${id}/restore`, { method: 'POST' })
    expect(body).toMatchObject({
      status: 'failed',
      job: { state: 'failed', error: 'cancelled: the task was deleted' },
    })
    expect(await runs(id)).toEqual([expect.objectContaining({ state: 'cancelled' })])
    const retried = await app.fetch(`/tasks/${id}/retry`, { method: 'POST' })
    expect(retried).toMatchObject({ status: 200, body: { status: 'todo' } })
    await jobIs(app, id, 'running')
    await app.fetch(`/tasks/${id}/cancel`, { method: 'POST' })
  })

  test('a job cannot be put into a task that is there', async () => {
    const { body } = await app.send('POST', '/tasks', { title: 'Of people' })
    for (const method of ['PATCH', 'PUT']) {
      const answer = await app.send(method, `/tasks/${body.id}`, { title: 'x', job: { type: 'noop' } })
      expectProblem(answer, 422)
      expect(answer.body.errors).toEqual([{ path: 'body.job', message: 'is not a known field' }])
    }
  })
})

test.each([
  [{ type: 'dig' }, 'body.job.type', 'must be one of noop, http, import'],
  [{}, 'body.job.type', 'is required'],
  [{ type: 7 }, 'body.job.type', 'must be a string'],
  ['noop', 'body.job', 'must be an object'],
  [null, 'body.job', 'must be an object'],
  [[], 'body.job', 'must be an object'],
  [{ type: 'noop', input: [] }, 'body.job.input', 'must be an object'],
  [{ type: 'noop', input: { duration_ms: -1 } }, 'body.job.input.duration_ms', 'must be at least 0'],
  [{ type: 'noop', input: { duration_ms: 1.5 } }, 'body.job.input.duration_ms', 'must be an integer'],
  [{ type: 'noop', input: { duration_ms: 600_001 } }, 'body.job.input.duration_ms', 'must be at most 600000'],
  [{ type: 'noop', input: { x: 1 } }, 'body.job.input.x', 'is not a known field'],
  [{ type: 'noop', state: 'succeeded' }, 'body.job.state', 'is not a known field'],
  [{ type: 'noop', max_attempts: 0 }, 'body.job.max_attempts', 'must be at least 1'],
  [{ type: 'noop', max_attempts: 26 }, 'body.job.max_attempts', 'must be at most 25'],
  [{ type: 'import' }, 'body.job.input', 'is required'],
  [
    { type: 'import', input: { importer: 'x' } },
    'body.job.input.importer',
    'must be one of todos, currencies',
  ],
])('the job %j is refused', async (job, path, message) => {
  const before = (await app.fetch('/tasks?limit=1')).headers.get('x-total-count')
  const answer = await app.send('POST', '/tasks', { title: 'x', job })
  expectProblem(answer, 422)
  expect(answer.body.errors).toContainEqual({ path, message })
  expect((await app.fetch('/tasks?limit=1')).headers.get('x-total-count')).toBe(before)
})

test('a task with a job begins as todo', async () => {
  for (const body of [{ status: 'done' }, { status: 'In Progress' }, { completed: true }]) {
    const answer = await app.send('POST', '/tasks', { title: 'x', job: { type: 'noop' }, ...body })
    expectProblem(answer, 422)
    expect(answer.body.errors[0].path).toBe('body.status')
  }
  for (const status of ['todo', 'New', 'new']) {
    const body = { title: 'x', job: { type: 'noop' }, status }
    expect((await app.send('POST', '/tasks', body)).status).toBe(201)
  }
})

test('lists are filtered by jobs', async () => {
  await using own = await startTestApp({ WORKER_CONCURRENCY: '0' })
  await own.send('POST', '/tasks', { title: 'Of people' })
  const queued = await createJob(own, { type: 'noop' })
  const cancelled = await createJob(own, { type: 'noop' })
  await own.fetch(`/tasks/${cancelled.id}/cancel`, { method: 'POST' })
  const list = async (query: string) => {
    const { status, body, headers } = await own.fetch(`/tasks?${query}`)
    expect(status).toBe(200)
    expect(headers.get('x-total-count')).toBe(String(body.length))
    return body.map(({ id }: { id: number }) => id)
  }
  expect(await list('has_job=true')).toEqual([queued.id, cancelled.id])
  expect(await list('has_job=false')).toEqual([1])
  expect(await list('job_state=queued')).toEqual([queued.id])
  expect(await list('job_state=queued&job_state=failed')).toEqual([queued.id, cancelled.id])
  expect(await list('job_state=failed&status=todo')).toEqual([])
  expect(await list('has_job=false&job_state=queued')).toEqual([])
  for (const query of ['has_job=1', 'job_state=done', 'job_state='])
    expectProblem(await own.fetch(`/tasks?${query}`), 422)
  expect((await own.fetch('/queue')).body).toEqual({
    depth: 1,
    running: 0,
    failed: 1,
    oldest: queued.job.due_at,
    per_minute: { succeeded: 0, failed: 0 },
  })
})

describe('users', () => {
  test('see the figures of their own jobs, and run no imports', async () => {
    await using upstream = await startUpstream()
    await using own = await startTestApp({ AUTH_MODE: 'required', TODO_SOURCE_URL: upstream.url })
    const anna = bearer((await register(own, 'anna')).access_token)
    const boris = bearer((await register(own, 'boris')).access_token)
    const root = bearer((await registerAdmin(own, 'root')).access_token)
    const { id, user_id } = await createJob(own, { type: 'noop' }, anna)
    expect(user_id).toBe(1)
    const figures = async (headers: Record<string, string>) => (await own.fetch('/queue', { headers })).body
    await eventually(async () => (await figures(anna)).per_minute.succeeded === 1, 'it is done')
    expect(await figures(boris)).toMatchObject({ per_minute: { succeeded: 0 } })
    expect(await figures(root)).toMatchObject({ per_minute: { succeeded: 1 } })
    expect((await own.fetch(`/tasks/${id}/runs`, { headers: boris })).status).toBe(403)

    const body = { title: 'Import', job: { type: 'import', input: { importer: 'todos' } } }
    expectProblem(await own.send('POST', '/tasks', body, anna), 403)
    const imported = await own.send('POST', '/tasks', body, root)
    expect(imported.status).toBe(201)
    const done = await eventually(async () => {
      const { body } = await own.fetch(`/tasks/${imported.body.id}`, { headers: root })
      return body.job.state === 'succeeded' && body
    }, 'the import is done')
    expect(done.job.result).toEqual({ run_id: 1, created_count: 20, updated_count: 0, skipped_count: 0 })
    // Retrying is running: who is an admin no more cannot.
    await own.database.rows(
      'UPDATE tasks SET user_id = 1, job = job || \'{"state": "failed"}\' WHERE id = $1',
      [imported.body.id],
    )
    const retried = await own.send('POST', `/tasks/${imported.body.id}/retry`, undefined, anna)
    expectProblem(retried, 403)
    const [row] = await own.database.rows('SELECT job ->> $2 AS state FROM tasks WHERE id = $1', [
      imported.body.id,
      'state',
    ])
    expect(row).toEqual({ state: 'failed' })
  })
})
