import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../support/app.ts'
import { expectProblem } from '../support/problem.ts'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
  await app.send('POST', '/tasks', { title: 'Bystander' })
})
afterAll(() => app[Symbol.asyncDispose]())
// Whatever a test sends, nothing was written, and the server neither failed nor stopped answering.
afterEach(async () => {
  const rows = await app.database.rows('SELECT id, title, version FROM tasks ORDER BY id')
  expect(rows[0]).toEqual({ id: 1, title: 'Bystander', version: 1 })
  expect(rows.slice(1).filter((row) => !/^fine/.test((row as { title: string }).title))).toEqual([])
  expect((await app.fetch('/health')).body).toEqual({ status: 'healthy' })
  expect(app.logged.filter(({ level }) => Number(level) >= 40)).toEqual([])
})

const writes = [
  ['POST', '/tasks'],
  ['PATCH', '/tasks/1'],
  ['PUT', '/tasks/1'],
] as const
const sendText = (method: string, path: string, body: string, type = 'application/json') =>
  app.fetch(path, { method, headers: { 'content-type': type }, body })

test.each<[unknown, string]>([
  [{ title: 5 }, 'body.title'],
  [{ title: ['x'] }, 'body.title'],
  [{ title: { toString: 'x' } }, 'body.title'],
  [{ title: null }, 'body.title'],
  [{ title: '' }, 'body.title'],
  [{ title: ' \t\n\u00a0\u2003\ufeff' }, 'body.title'],
  [{ title: 'x'.repeat(101) }, 'body.title'],
  [{ title: '😀'.repeat(101) }, 'body.title'],
  [{ title: 'nul\0nul' }, 'body.title'],
  [{ title: 'half \ud83d' }, 'body.title'],
  [{ title: '\ude00 other half' }, 'body.title'],
  [{ title: 'x', description: 'y'.repeat(10_001) }, 'body.description'],
  [{ title: 'x', description: '\0' }, 'body.description'],
  [{ title: 'x', description: '\udfff' }, 'body.description'],
  [{ title: 'x', description: 7 }, 'body.description'],
  [{ title: 'x', city: '' }, 'body.city'],
  [{ title: 'x', city: ' ' }, 'body.city'],
  [{ title: 'x', city: 'z'.repeat(101) }, 'body.city'],
  [{ title: 'x', city: '\0' }, 'body.city'],
  [{ title: 'x', completed: 'true' }, 'body.completed'],
  [{ title: 'x', completed: 1 }, 'body.completed'],
  [{ title: 'x', completed: null }, 'body.completed'],
  [{ title: 'x', status: 'open' }, 'body.status'],
  [{ title: 'x', status: '' }, 'body.status'],
  [{ title: 'x', status: ['todo'] }, 'body.status'],
  [{ title: 'x', status: 'todo\0' }, 'body.status'],
  [{ title: 'x', priority: 'highest' }, 'body.priority'],
  [{ title: 'x', priority: null }, 'body.priority'],
  [{ title: 'x', priority: 3 }, 'body.priority'],
  [{ title: 'x', due_at: '2025-02-30T00:00:00Z' }, 'body.due_at'],
  [{ title: 'x', due_at: '2025-12-31' }, 'body.due_at'],
  [{ title: 'x', due_at: '2025-12-31T12:00:00' }, 'body.due_at'],
  [{ title: 'x', due_at: '0001-01-01T00:00:00+01:00' }, 'body.due_at'],
  [{ title: 'x', due_at: 'infinity' }, 'body.due_at'],
  [{ title: 'x', due_at: '' }, 'body.due_at'],
  [{ title: 'x', due_at: 1767171600 }, 'body.due_at'],
  [{ title: 'x', labels: 'home' }, 'body.labels'],
  [{ title: 'x', labels: null }, 'body.labels'],
  [{ title: 'x', labels: Array.from({ length: 21 }, (_, i) => `label ${i}`) }, 'body.labels'],
  [{ title: 'x', labels: [' '] }, 'body.labels.0'],
  [{ title: 'x', labels: ['home', 'y'.repeat(51)] }, 'body.labels.1'],
  [{ title: 'x', labels: ['nul\0nul'] }, 'body.labels.0'],
  [{ title: 'x', labels: ['half \ud83d'] }, 'body.labels.0'],
  [{ title: 'x', labels: [null] }, 'body.labels.0'],
  [{ title: 'x', position: '80000001i' }, 'body.position'],
  [{ title: 'x', extra: 1 }, 'body.extra'],
  [{ title: 'x', id: 7 }, 'body.id'],
  [{ title: 'x', version: 7 }, 'body.version'],
  [{ title: 'x', user_id: 7 }, 'body.user_id'],
  [{ title: 'x', Title: 'x' }, 'body.Title'],
  [{ title: 'x', constructor: {} }, 'body.constructor'],
  [{ title: 'x', hasOwnProperty: 1 }, 'body.hasOwnProperty'],
  [{ title: 'x', '': 1 }, 'body.'],
  [[], 'body'],
  [[{ title: 'x' }], 'body'],
  ['x', 'body'],
  [5, 'body'],
  [null, 'body'],
  [false, 'body'],
])('the body %o is 422 at %s for POST, PATCH and PUT', async (body, path) => {
  for (const [method, url] of writes) {
    const answer = await app.send(method, url, body)
    expectProblem(answer, 422)
    expect(answer.body.errors.map((error: { path: string }) => error.path)).toContain(path)
    expect(answer.body.errors.every(({ message }: { message: string }) => message.length > 3)).toBe(true)
  }
})

test.each([
  '{"title":"x","__proto__":{"title":"y"}}',
  '{"__proto__":null,"title":"x"}',
  '{"title":"x","\\u005f_proto__":1}',
  '{"title":"x","constructor":{"prototype":{"polluted":1}}}',
])('%s has an unknown field: 422', async (body) => {
  for (const [method, url] of writes) expectProblem(await sendText(method, url, body), 422)
  expect('polluted' in {}).toBe(false)
})

test('a title of 100 code points is fine, however many bytes they take', async () => {
  for (const title of [`fine${'x'.repeat(96)}`, `fine${'😀'.repeat(96)}`, `  fine${'я'.repeat(96)}  `]) {
    expect(await app.send('POST', '/tasks', { title })).toMatchObject({
      status: 201,
      body: { title: title.trim() },
    })
  }
})

test.each([
  '{',
  '{"title":"x"',
  '{"title":"x"}}',
  "{'title':'x'}",
  '{"title":"x",}',
  '{"title":NaN}',
  'undefined',
  '\0',
  '{"title":"\u0001"}',
  '{"title":"\\ud83d\\u"}',
  '['.repeat(100_000),
])('the broken JSON %j is 400', async (body) => {
  for (const [method, url] of writes) expectProblem(await sendText(method, url, body), 400)
})

test('deep nesting is answered like any other wrong value', async () => {
  const arrays = `${'['.repeat(100_000)}${']'.repeat(100_000)}`
  const objects = `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`
  for (const value of [arrays, objects]) {
    for (const [method, url] of writes) {
      expectProblem(await sendText(method, url, value), 422)
      expectProblem(await sendText(method, url, `{"title":${value}}`), 422)
      expectProblem(await sendText(method, url, `{"title":"x","city":${value}}`), 422)
    }
  }
})

test('no body, an empty one and a blank one are not a task', async () => {
  for (const [method, url] of writes.slice(1)) {
    expectProblem(await app.fetch(url, { method }), 422)
    expectProblem(await sendText(method, url, ''), 422)
  }
  for (const [method, url] of writes) expectProblem(await sendText(method, url, '  '), 400)
})

test.each([
  'text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'application/xml',
  'json',
  'application/jsonp',
  '/',
])('a body of type %s is 415', async (type) => {
  for (const [method, url] of writes) expectProblem(await sendText(method, url, '{"title":"x"}', type), 415)
})

test('JSON in its other clothes is taken', async () => {
  for (const type of [
    'application/json; charset=utf-8',
    'APPLICATION/JSON',
    'application/json;charset="UTF-8"',
  ]) {
    expect((await sendText('POST', '/tasks', '{"title":"fine"}', type)).status).toBe(201)
  }
  expect((await sendText('POST', '/tasks', '\ufeff{"title":"fine"}')).status).toBe(201)
})

test('a body of 2 MB is 413, with and without a length told before', async () => {
  const big = JSON.stringify({ title: 'x', description: 'y'.repeat(2_000_000) })
  for (const [method, url] of writes) {
    expectProblem(await sendText(method, url, big), 413)
    const stream = new Blob([big]).stream()
    const init = { method, headers: { 'content-type': 'application/json' }, body: stream, duplex: 'half' }
    expectProblem(await app.fetch(url, init as RequestInit), 413)
  }
})
