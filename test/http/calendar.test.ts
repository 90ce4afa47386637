import { afterAll, beforeAll, expect, test } from 'vitest'
import { bearer, type Grant, register, registerAdmin } from '../support/accounts.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { expectProblem } from '../support/problem.ts'

let app: TestApp
let anna: Grant
let boris: Grant
beforeAll(async () => {
  app = await startTestApp({ AUTH_MODE: 'required' })
  anna = await register(app, 'anna')
  boris = await register(app, 'boris')
})
afterAll(() => app[Symbol.asyncDispose]())

const create = async (task: object, { access_token }: Grant = anna) =>
  (await app.send('POST', '/tasks', task, bearer(access_token))).body
async function newFeed({ access_token }: Grant, name = 'Phone') {
  const { status, body } = await app.send('POST', '/calendar-feeds', { name }, bearer(access_token))
  expect(status).toBe(201)
  return body as { id: number; url: string }
}
/** What is behind an address that was given out, without any other credential. */
const fetched = (url: string, init?: RequestInit) => app.fetch(url.slice(app.url.length), init)

interface Component {
  name: string
  properties: Record<string, string>
}
/** The components of a calendar, as a reader of RFC 5545 has them. */
function read(calendar: string): Component[] {
  expect(calendar.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/)
  const lines = calendar.replaceAll('\r\n ', '').split('\r\n')
  expect([lines[0], ...lines.slice(-2)]).toEqual(['BEGIN:VCALENDAR', 'END:VCALENDAR', ''])
  const components: Component[] = []
  let open: Component | undefined
  for (const line of lines.slice(1, -2)) {
    const [, name, value] = /^([^:]+):(.*)$/s.exec(line)!
    if (name === 'BEGIN') open = { name: value!, properties: {} }
    else if (name === 'END') {
      components.push(open!)
      expect(value).toBe(open!.name)
      open = undefined
    } else if (open) {
      expect(Object.hasOwn(open.properties, name!)).toBe(false)
      open.properties[name!] = value!
    }
  }
  return components
}

test('a task is a to-do and, if due, an event; unset fields are omitted', async () => {
  const plain = await create({ title: 'Plain' })
  await create({
    title: 'Buy milk; eggs, \\ bread',
    description: `First line\r\nsecond line ${'ы'.repeat(100)}`,
    status: 'in_progress',
    priority: 'high',
    due_at: '2025-12-31T12:00:00.5+03:00',
    labels: ['home', 'a,b'],
    city: 'Omsk',
  })
  await create({ title: 'foreign' }, boris)
  const gone = await create({ title: 'gone' })
  await app.fetch(`/tasks/${gone.id}`, { method: 'DELETE', headers: bearer(anna.access_token) })
  const { url } = await newFeed(anna)
  const { status, headers, body } = await fetched(url)
  expect(status).toBe(200)
  expect(headers.get('content-type')).toBe('text/calendar; charset=utf-8')
  for (const line of body.split('\r\n')) expect(Buffer.byteLength(line)).toBeLessThanOrEqual(75)
  const time = (iso: string) => `${iso.slice(0, 19).replace(/[-:]/g, '')}Z`
  const [first, second, third, ...more] = read(body)
  expect(more).toEqual([])
  expect(first).toEqual({
    name: 'VTODO',
    properties: {
      UID: expect.stringMatching(new RegExp(`^task-${plain.id}@[\\w-]{8,}$`)),
      DTSTAMP: time(plain.created_at),
      CREATED: time(plain.created_at),
      'LAST-MODIFIED': time(plain.created_at),
      SEQUENCE: '0',
      SUMMARY: 'Plain',
      STATUS: 'NEEDS-ACTION',
    },
  })
  const described = {
    SUMMARY: 'Buy milk\\; eggs\\, \\\\ bread',
    DESCRIPTION: `First line\\nsecond line ${'ы'.repeat(100)}`,
    LOCATION: 'Omsk',
    CATEGORIES: 'home,a\\,b',
    PRIORITY: '3',
  }
  expect(second).toEqual({
    name: 'VTODO',
    properties: expect.objectContaining({ ...described, STATUS: 'IN-PROCESS', DUE: '20251231T090000Z' }),
  })
  expect(third).toEqual({
    name: 'VEVENT',
    properties: expect.objectContaining({ ...described, DTSTART: '20251231T090000Z', TRANSP: 'TRANSPARENT' }),
  })
  expect(third!.properties).not.toHaveProperty('DUE')
  expect(third!.properties.UID).not.toBe(second!.properties.UID)

  const patched = await app.send('PATCH', `/tasks/${plain.id}`, { status: 'done' }, bearer(anna.access_token))
  const [changed] = read((await fetched(url)).body)
  expect(changed!.properties).toMatchObject({
    UID: first!.properties.UID,
    SEQUENCE: '1',
    STATUS: 'COMPLETED',
    'PERCENT-COMPLETE': '100',
    DTSTAMP: time(patched.body.updated_at),
    CREATED: time(plain.created_at),
  })
})

test('a calendar of several chunks is complete', async () => {
  const many = await register(app, 'many')
  const operations = Array.from({ length: 450 }, (_, i) => ({ op: 'create', task: { title: `Task ${i}` } }))
  await app.send('POST', '/tasks/batch', { operations }, bearer(many.access_token))
  const { body } = await fetched((await newFeed(many)).url)
  expect(read(body).map(({ properties }) => properties.SUMMARY)).toEqual(
    operations.map(({ task }) => task.title),
  )
})

test('an admin’s calendar has their own tasks, whichever way it is read', async () => {
  const root = await registerAdmin(app, 'root')
  await create({ title: 'of the admin' }, root)
  const { url } = await newFeed(root)
  for (const { body } of [
    await fetched(url),
    await app.fetch('/tasks.ics', { headers: bearer(root.access_token) }),
  ])
    expect(read(body).map(({ properties }) => properties.SUMMARY)).toEqual(['of the admin'])
})

test('the feed URL opens the calendar only, and is not shown again', async () => {
  const { id, url } = await newFeed(anna, 'Tablet')
  const token = new URL(url).searchParams.get('token')!
  expect(url).toBe(`${app.url}/tasks.ics?token=${token}`)
  for (const path of ['/tasks', '/tasks/export', '/auth/me', '/events']) {
    expectProblem(await app.fetch(path, { headers: { ...bearer(token), accept: 'application/json' } }), 401)
    expect((await app.fetch(`${path}?token=${token}`)).status).toBeGreaterThanOrEqual(400)
  }
  expectProblem(await app.send('POST', `/tasks?token=${token}`, { title: 'x' }), 401)
  expectProblem(await app.fetch('/tasks.ics', { headers: bearer(token) }), 401)
  const listed = await app.fetch('/calendar-feeds', { headers: bearer(anna.access_token) })
  expect(listed.body.find((feed: { id: number }) => feed.id === id)).toEqual({
    id,
    name: 'Tablet',
    created_at: expect.any(String),
    last_used_at: null,
  })
  expect((await fetched(url, { method: 'HEAD' })).status).toBe(200)
  const used = await app.fetch('/calendar-feeds', { headers: bearer(anna.access_token) })
  expect(used.body.find((feed: { id: number }) => feed.id === id).last_used_at).toMatch(/Z$/)
  const [stored] = await app.database.rows<{ text: string }>(
    'SELECT f::text AS text FROM calendar_feeds f WHERE id = $1',
    [id],
  )
  for (const text of [JSON.stringify([listed.body, used.body, app.logged]), stored!.text])
    expect(text).not.toContain(token)
})

test('a feed URL stops working once the feed is deleted or its user disabled', async () => {
  const [kept, { id, url }] = [await newFeed(boris), await newFeed(boris)]
  const as = (grant: Grant) => ({ method: 'DELETE', headers: bearer(grant.access_token) })
  expectProblem(await app.fetch(`/calendar-feeds/${id}`, as(anna)), 404)
  expect((await fetched(url)).status).toBe(200)
  expect((await app.fetch(`/calendar-feeds/${id}`, as(boris))).status).toBe(204)
  expectProblem(await fetched(url), 401)
  expectProblem(await app.fetch(`/calendar-feeds/${id}`, as(boris)), 404)
  expect((await fetched(kept.url)).status).toBe(200)
  await app.database.rows("UPDATE users SET disabled = true WHERE username = 'boris'")
  expectProblem(await fetched(kept.url), 401)
  await app.database.rows("UPDATE users SET disabled = false WHERE username = 'boris'")
})

test.each(['', 'x', 'twf_', `twf_${'A'.repeat(43)}`, '%00', "'", 'x'.repeat(200)])(
  'the token %.20j opens nothing',
  async (token) => {
    const answer = await app.fetch(`/tasks.ics?token=${token}`)
    expectProblem(answer, token === '' || token.length > 100 ? 422 : 401)
    expect(JSON.stringify(answer.body)).not.toContain('AAAA')
  },
)

test('invalid requests are rejected', async () => {
  const headers = bearer(anna.access_token)
  expectProblem(await app.fetch('/tasks.ics'), 401)
  expectProblem(await app.fetch('/tasks.ics?token=a&token=b'), 422)
  expectProblem(await app.fetch('/tasks.ics?user=1', { headers }), 422)
  for (const body of [
    {},
    { name: '' },
    { name: ' ' },
    { name: 'x'.repeat(101) },
    { name: 'a\0' },
    { name: 1 },
  ])
    expectProblem(await app.send('POST', '/calendar-feeds', body, headers), 422)
  expectProblem(await app.send('POST', '/calendar-feeds', { name: 'x', scope: 'all' }, headers), 422)
  for (const id of ['0', '2147483648', 'x'])
    expectProblem(await app.fetch(`/calendar-feeds/${id}`, { method: 'DELETE', headers }), 422)
})

test('a user has at most 20 feeds, also with concurrent requests', async () => {
  const carla = await register(app, 'carla')
  const answers = await Promise.all(
    Array.from({ length: 30 }, () =>
      app.send('POST', '/calendar-feeds', { name: 'x' }, bearer(carla.access_token)),
    ),
  )
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(20)
  for (const answer of answers.filter(({ status }) => status !== 201)) expectProblem(answer, 409)
})

test('while access is open the calendar needs no feed and contains every task', async () => {
  await using open = await startTestApp()
  await open.send('POST', '/tasks', { title: 'x' })
  const { status, body } = await open.fetch('/tasks.ics')
  expect([status, read(body).length]).toEqual([200, 1])
  expectProblem(await open.fetch('/tasks.ics?token=twf_x'), 401)
})

test('guesses at feed URLs are rate-limited', async () => {
  await using limited = await startTestApp({ AUTH_MODE: 'required', RATE_LIMIT_PER_MINUTE: '5' })
  const statuses: number[] = []
  for (let i = 0; i < 7; i++) statuses.push((await limited.fetch(`/tasks.ics?token=twf_${i}`)).status)
  expect(statuses).toEqual([401, 401, 401, 401, 401, 429, 429])
})
