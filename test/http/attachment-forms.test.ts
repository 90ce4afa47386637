import { createHash, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { Agent, request } from 'node:http'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../support/app.ts'
import {
  BOUNDARY,
  filePart,
  filesOf,
  form,
  MULTIPART,
  newTask,
  sendForm,
  someBytes,
  upload,
} from '../support/attachments.ts'
import { eventually } from '../support/eventually.ts'
import { expectProblem } from '../support/problem.ts'

const MAX = 25 * 2 ** 20

let app: TestApp
let task: number
let before: { rows: object[]; files: string[] }
/** What is there: rows, files, and nothing on its way. */
const state = async () => ({
  rows: await app.database.rows('SELECT id, task_id, attached FROM attachments ORDER BY id'),
  files: (await filesOf(app.dataDir)).sort(),
})
beforeAll(async () => {
  app = await startTestApp()
  task = await newTask(app)
  await upload(app, task, 'was there before')
})
afterAll(() => app[Symbol.asyncDispose]())
beforeEach(async () => {
  before = await state()
})
// Whatever was wrong, it changed nothing, and the server goes on.
afterEach(async () => {
  await eventually(async () => (await filesOf(app.dataDir)).length === before.files.length, 'nothing is left')
  expect(await state()).toEqual(before)
  expect((await app.fetch(`/tasks/${task}/attachments`)).body).toHaveLength(1)
  expect(app.logged.filter(({ level }) => Number(level) >= 40)).toEqual([])
})

const file: [string, string] = [filePart('a.txt'), 'Hello']
const field = (name: string): [string, string] => [`Content-Disposition: form-data; name="${name}"`, 'x']

test.each<[string, [string, string][], string]>([
  ['without a file', [], 'body.file is required'],
  ['with two files', [file, file], 'body.file must be given once'],
  [
    'with a file under another name',
    [[filePart('a.txt', 'upload'), 'Hello']],
    'body.upload is not a known field',
  ],
  ['with a field', [field('comment')], 'body.comment is not a known field'],
  ['with a field before the file', [field('comment'), file], 'body.comment is not a known field'],
  ['with a field after the file', [file, field('comment')], 'body.comment is not a known field'],
  [
    'with a field of a name that objects have',
    [file, field('__proto__')],
    'body.__proto__ is not a known field',
  ],
  ['with the file as a field', [field('file')], 'body.file is not a known field'],
  [
    'with many parts',
    Array(50).fill(['X-Nothing: to see', 'x']),
    'body.file must be the only part of the form',
  ],
  ['with a file that has no name', [[filePart(''), 'Hello']], 'body.file must have a file name'],
  ['with a file named ..', [[filePart('..'), 'Hello']], 'body.file must have a file name'],
  ['with a name of control characters', [[filePart('a\x07b'), 'Hello']], 'without control characters'],
  ['with a name of 256 bytes', [[filePart('x'.repeat(256)), 'Hello']], 'at most 255 bytes'],
])('a form %s is 422', async (_what, parts, detail) => {
  const answer = await sendForm(app, task, form(...parts))
  expectProblem(answer, 422)
  expect(answer.body.detail).toContain(detail)
  expect(answer.body.errors).toHaveLength(1)
})

test('two large files are refused before the second is there', async () => {
  const part: [string, Buffer] = [filePart('a.bin'), someBytes(5 * 2 ** 20)]
  expectProblem(await sendForm(app, task, form(part, part)), 422)
})

test.each<[string, Buffer, Record<string, string>?]>([
  ['nothing', Buffer.alloc(0)],
  ['no form', Buffer.from('Hello')],
  ['no boundary in its type', form(file), { 'content-type': 'multipart/form-data' }],
  ['another boundary', form(file), { 'content-type': 'multipart/form-data; boundary=other' }],
  ['no end of the part', form(file).subarray(0, -30)],
  ['no end of the form', form(file).subarray(0, -4)],
  ['headers that do not end', Buffer.from(`--${BOUNDARY}\r\nContent-Disposition: form-data; name="file"`)],
])('a body with %s is 400', async (_what, body, headers) => {
  expectProblem(await sendForm(app, task, body, headers), 400)
})

test.each([
  'application/json',
  'application/x-www-form-urlencoded',
  'text/plain',
  'multipart/mixed',
  'image/png',
])('a body of type %s is 415', async (type) => {
  const answer = await sendForm(app, task, form(file), { 'content-type': type })
  expectProblem(answer, 415)
  expect(answer.body.detail).toBe('The body must be multipart/form-data.')
})

test('no body is 422', async () => {
  expectProblem(await app.fetch(`/tasks/${task}/attachments`, { method: 'POST' }), 422)
})

test('what comes in pieces of any size is the same, or the same mistake', async () => {
  const whole = form(file)
  const property = fc.asyncProperty(
    fc.nat(whole.length - 1),
    fc.integer({ min: 1, max: 40 }),
    async (end, size) => {
      const pieces = []
      for (let at = 0; at < end; at += size) pieces.push(whole.subarray(at, Math.min(at + size, end)))
      const { status, body } = await post({}, Readable.from(pieces))
      expect(end >= whole.length - 2 ? [201] : [400, 422]).toContain(status)
      if (status === 201) await remove(JSON.parse(body).id)
    },
  )
  await fc.assert(property, { numRuns: 60 })
})

async function remove(id: number): Promise<void> {
  await app.fetch(`/tasks/${task}/attachments/${id}`, { method: 'DELETE' })
  await eventually(async () => (await state()).rows.length === before.rows.length, 'it is removed')
}

/** Posts what a stream gives, in chunks, on a connection of its own. */
async function post(headers: Record<string, string>, body: Readable, path = `/tasks/${task}/attachments`) {
  const agent = new Agent({ keepAlive: true })
  const { port } = new URL(app.url)
  const outgoing = request({ agent, port, path, method: 'POST', headers: { ...MULTIPART, ...headers } })
  const answered = once(outgoing, 'response')
  outgoing.flushHeaders()
  body.pipe(outgoing)
  const [incoming] = await answered
  const answer = { status: incoming.statusCode as number, body: await text(incoming) }
  agent.destroy()
  return answer
}

const start = Buffer.from(`--${BOUNDARY}\r\n${filePart('large.bin')}\r\n\r\n`)
const end = Buffer.from(`\r\n--${BOUNDARY}--\r\n`)
function* large(size: number) {
  yield start
  for (let at = 0; at < size; at += 65_536) yield Buffer.alloc(Math.min(65_536, size - at))
  yield end
}

test('26 MB are 413, wherever it is said that they are so many', async () => {
  const refused = {
    status: 413,
    body: expect.stringContaining(`The file is larger than the maximum of ${MAX} bytes.`),
  }
  expect(await post({}, Readable.from(large(26_300_000)))).toEqual(refused)
  expect(await post({}, Readable.from(large(MAX + 1)))).toEqual(refused)
  const length = String(start.length + MAX + 65_536 + end.length)
  // At once: nothing of it was sent.
  expect(await post({ 'content-length': length }, new Readable({ read() {} }))).toEqual(refused)
})

test('25 MiB are taken', async () => {
  const { status, body } = await post({}, Readable.from(large(MAX)))
  expect([status, JSON.parse(body).size]).toEqual([201, MAX])
  await remove(JSON.parse(body).id)
})

test('a body is what its digest says, or 400', async () => {
  const body = form(file)
  const digest = (bytes: Buffer) => `sha-256=:${createHash('sha256').update(bytes).digest('base64')}:`
  expectProblem(await sendForm(app, task, body, { 'content-digest': digest(Buffer.from('other')) }), 400)
  expectProblem(await sendForm(app, task, body, { 'content-digest': 'none' }), 400)
  const { status, body: made } = await sendForm(app, task, body, { 'content-digest': digest(body) })
  expect(status).toBe(201)
  await remove(made.id)
})

test.each([
  ['POST', '/tasks/2147483647/attachments', 404],
  ['POST', '/tasks/0/attachments', 422],
  ['POST', '/tasks/2147483648/attachments', 422],
  ['GET', '/tasks/2147483647/attachments', 404],
  ['GET', '/tasks/1/attachments/2147483647', 404],
  ['GET', '/tasks/1/attachments/2147483648', 422],
  ['GET', '/tasks/1/attachments/..%2f..%2f..%2fetc%2fpasswd', 422],
  ['DELETE', '/tasks/1/attachments/0', 422],
  ['DELETE', '/tasks/x/attachments/1', 422],
  ['PUT', '/tasks/1/attachments/1', 405],
  ['PATCH', '/tasks/1/attachments', 405],
])('%s %s is %i', async (method, path, status) => {
  const isUpload = method === 'POST'
  const answer = await app.fetch(path, {
    method,
    ...(isUpload && { headers: MULTIPART, body: new Uint8Array(form(file)) }),
  })
  expectProblem(answer, status)
})

test('a file named like a path is data, and lies where all others do', async () => {
  const name = `${randomUUID()}.txt`
  const { body } = await sendForm(app, task, form([filePart(`../../../../tmp/${name}`), 'Hello']))
  expect(body.name).toBe(name)
  const added = (await filesOf(app.dataDir)).filter((path) => !before.files.includes(path))
  expect(added).toEqual([expect.stringMatching(/\/attachments\/[0-9a-f]{2}\/[0-9a-f-]{36}$/)])
  await remove(body.id)
})

test('a page of another site cannot send a form while access is open', async () => {
  expectProblem(await sendForm(app, task, form(file), { origin: 'https://evil.example' }), 403)
})
