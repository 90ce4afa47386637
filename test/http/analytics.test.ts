import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bearer, register, registerAdmin } from '../support/accounts.ts'
import { startTestApp, type TestApp } from '../support/app.ts'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app[Symbol.asyncDispose]())

const get = async (query = '', headers = {}) => {
  const { status, body } = await app.fetch(`/analytics${query}`, { headers })
  expect([query, status, status === 200 || body]).toEqual([query, 200, true])
  return body
}

/** Of a user that is named, or nobody; `done`: null for what is not done. */
async function insert(tasks: { at: string; status?: string; done?: string; user?: number }[]): Promise<void> {
  for (const { at, status = 'todo', done = null, user = null } of tasks) {
    const [row] = await app.database.rows<{ id: number }>(
      'INSERT INTO tasks (title, status, user_id, created_at) VALUES ($1, $2, $3, $4) RETURNING id',
      ['x', status, user, at],
    )
    if (done) await app.database.rows('UPDATE tasks SET done_at = $2 WHERE id = $1', [row!.id, done])
  }
}

test('without tasks all numbers are zero and no field is missing', async () => {
  expect(await get()).toEqual({
    by_status: { todo: 0, in_progress: 0, done: 0, failed: 0 },
    by_user: {},
    by_day: [],
    total: 0,
    median_seconds_to_done: null,
  })
})

describe('with tasks of some users', () => {
  let anna: { id: number; token: string }
  let admin: string
  beforeAll(async () => {
    const users = await Promise.all(
      ['anna', 'boris', '__proto__', 'constructor'].map((name) => register(app, name)),
    )
    const [a, b, proto, builder] = users.map(({ user }) => user.id) as [number, number, number, number]
    anna = { id: a, token: users[0]!.access_token }
    admin = (await registerAdmin(app, 'root')).access_token
    await insert([
      { at: '2025-05-01T00:00:00Z', status: 'done', done: '2025-05-01T00:01:00Z', user: a },
      { at: '2025-05-01T23:59:59.999999Z', status: 'done', done: '2025-05-03T12:00:00Z', user: a },
      { at: '2025-05-02T00:00:00Z', status: 'in_progress', user: b },
      // Made before the period, done in it.
      { at: '2025-04-01T00:00:00Z', status: 'done', done: '2025-05-02T00:00:00Z', user: b },
      { at: '2025-05-02T10:00:00Z', status: 'failed', user: proto },
      // Made done: it never took any time.
      { at: '2025-05-02T11:00:00Z', status: 'done', user: builder },
      { at: '2025-05-24T20:59:59Z' },
      { at: '2025-05-24T21:00:00Z' },
    ])
    await app.database.rows(
      "INSERT INTO tasks (title, deleted_at, created_at) VALUES ('in the trash', now(), '2025-05-02Z')",
    )
  })

  const all = {
    by_status: { todo: 2, in_progress: 1, done: 4, failed: 1 },
    // By entries: of an object, `__proto__` would be its prototype.
    by_user: [
      ['(nobody)', 2],
      ['__proto__', 1],
      ['anna', 2],
      ['boris', 2],
      ['constructor', 1],
    ],
    by_day: [
      { date: '2025-04-01', created: 1, completed: 0 },
      { date: '2025-05-01', created: 2, completed: 1 },
      { date: '2025-05-02', created: 3, completed: 2 },
      { date: '2025-05-03', created: 0, completed: 1 },
      { date: '2025-05-24', created: 2, completed: 0 },
    ],
    total: 8,
    // Of a minute, a day and a half, a month.
    median_seconds_to_done: expect.closeTo(36 * 3600, 3),
  }
  const shown = ({ by_user, ...rest }: { by_user: object }) => ({ ...rest, by_user: Object.entries(by_user) })

  test('the operator and an admin see statistics of all tasks', async () => {
    const body = await get()
    expect(shown(body)).toEqual(all)
    expect(await get('', bearer(admin))).toEqual(body)
  })

  test('a user sees statistics of their own tasks only', async () => {
    expect(await get('', bearer(anna.token))).toEqual({
      by_status: { todo: 0, in_progress: 0, done: 2, failed: 0 },
      by_user: { anna: 2 },
      by_day: [
        { date: '2025-05-01', created: 2, completed: 1 },
        { date: '2025-05-03', created: 0, completed: 1 },
      ],
      total: 2,
      median_seconds_to_done: expect.closeTo((60 + 36 * 3600) / 2, 3),
    })
  })

  test('the first and last day belong to the period', async () => {
    const body = await get('?start_date=2025-05-02&end_date=2025-05-24')
    expect(shown(body)).toEqual({
      by_status: { todo: 2, in_progress: 1, done: 1, failed: 1 },
      by_user: [
        ['(nobody)', 2],
        ['__proto__', 1],
        ['boris', 1],
        ['constructor', 1],
      ],
      by_day: all.by_day.slice(2),
      total: 5,
      median_seconds_to_done: expect.closeTo((36 * 3600 + 31 * 86_400) / 2, 3),
    })
    expect(await get('?start_date=2025-05-25')).toMatchObject({ total: 0, by_user: {}, by_day: [] })
    expect(await get('?end_date=2025-05-01')).toMatchObject({ total: 3 })
    expect((await get('?start_date=2025-05-02&end_date=2025-05-02')).by_day).toEqual([all.by_day[2]])
    expect(await get('?start_date=0001-01-01&end_date=9999-12-31')).toEqual(await get())
  })

  test('days begin and end at midnight in the time zone', async () => {
    const days = async (tz: string) =>
      (await get(`?start_date=2025-05-24&end_date=2025-05-25&tz=${tz}`)).by_day
    expect(await days('UTC')).toEqual([{ date: '2025-05-24', created: 2, completed: 0 }])
    expect(await days('Europe/Moscow')).toEqual([
      { date: '2025-05-24', created: 1, completed: 0 },
      { date: '2025-05-25', created: 1, completed: 0 },
    ])
    expect(await days('europe/moscow')).toEqual(await days('Europe/Moscow'))
    expect(await days('Pacific/Kiritimati')).toEqual([{ date: '2025-05-25', created: 2, completed: 0 }])
    // As the zone, with summer time, and not as the abbreviation of one hour.
    expect((await get('?start_date=2025-05-03&end_date=2025-05-03&tz=CET')).by_day).toEqual(
      (await get('?start_date=2025-05-03&end_date=2025-05-03&tz=Europe/Brussels')).by_day,
    )
  })

  test('the time zone of a request does not affect the next', async () => {
    await Promise.all(Array.from({ length: 20 }, () => get('?tz=Asia/Tokyo')))
    const zones = await app.database.rows<{ TimeZone: string }>('SHOW TimeZone')
    expect(zones).toEqual([{ TimeZone: 'UTC' }])
    expect((await get()).by_day).toEqual(all.by_day)
  })

  test.each([
    ['start_date=2025-02-30', 'query.start_date'],
    ['end_date=2025-13-01', 'query.end_date'],
    ['start_date=yesterday', 'query.start_date'],
    ['start_date=', 'query.start_date'],
    ['start_date=2025-05-01T00:00:00Z', 'query.start_date'],
    ['start_date=0000-01-01', 'query.start_date'],
    ["start_date=2025-05-01'--", 'query.start_date'],
    ['start_date=2025-05-01&start_date=2025-05-02', 'query.start_date'],
    ['start_date=2025-05-02&end_date=2025-05-01', 'query.end_date'],
    ['tz=Mars/Phobos', 'query.tz'],
    ['tz=', 'query.tz'],
    ['tz=%2B03:00', 'query.tz'],
    ['tz=03', 'query.tz'],
    ['tz=MSK', 'query.tz'],
    ['tz=UTC%2B3', 'query.tz'],
    ["tz=UTC'; DROP TABLE tasks --", 'query.tz'],
    ['tz=../../etc/passwd', 'query.tz'],
    ['tz=posix/Europe/Moscow', 'query.tz'],
    [`tz=${'Europe/'.repeat(100)}`, 'query.tz'],
    ['tz=%00', 'query.tz'],
    ['tz=UTC&tz=UTC', 'query.tz'],
    ['user=anna', 'query.user'],
  ])('?%s is 422', async (query, path) => {
    const { status, headers, body } = await app.fetch(`/analytics?${query}`)
    expect([status, body.errors?.[0]?.path]).toEqual([422, path])
    expect(headers.get('content-type')).toMatch(/^application\/problem\+json/)
  })
})

test('statuses follow STATUS_LABELS', async () => {
  await using titled = await startTestApp({ STATUS_LABELS: 'title' })
  await titled.send('POST', '/tasks', { title: 'x', status: 'in_progress' })
  const { body } = await titled.fetch('/analytics')
  expect(body.by_status).toEqual({ New: 0, 'In Progress': 1, Completed: 0, Failed: 0 })
})

test('random changes by users are counted on the right days', async () => {
  await using fresh = await startTestApp()
  const { body: task } = await fresh.send('POST', '/tasks', { title: 'x' })
  const { body: other } = await fresh.send('POST', '/tasks', { title: 'y' })
  await fresh.send('PATCH', `/tasks/${task.id}`, { completed: true })
  const { body } = await fresh.fetch('/analytics')
  expect(body).toMatchObject({ by_status: { done: 1, todo: 1 }, by_user: { '(nobody)': 2 }, total: 2 })
  expect(body.by_day.reduce((sum: number, day: { completed: number }) => sum + day.completed, 0)).toBe(1)
  expect(body.median_seconds_to_done).toBeGreaterThan(0)
  expect(body.median_seconds_to_done).toBeLessThan(60)
  await fresh.send('PATCH', `/tasks/${task.id}`, { completed: false })
  await fresh.send('DELETE', `/tasks/${other.id}`)
  expect((await fresh.fetch('/analytics')).body).toMatchObject({
    by_status: { done: 0, todo: 1 },
    total: 1,
    median_seconds_to_done: null,
  })
})
