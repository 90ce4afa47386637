import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../support/app.ts'
import { expectProblem } from '../support/problem.ts'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app[Symbol.asyncDispose]())

const post = (path: string, body: RequestInit['body'], headers: Record<string, string> = {}) =>
  send('POST', path, body, headers)
const send = (
  method: string,
  path: string,
  body: RequestInit['body'],
  headers: Record<string, string> = {},
) =>
  app.fetch(path, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    ...(body !== undefined && { body }),
    ...(body instanceof ReadableStream && { duplex: 'half' }),
  } as RequestInit)
/** A body whose length is not told before. */
const chunked = (...chunks: string[]) => ReadableStream.from(chunks.map((chunk) => Buffer.from(chunk)))
const count = async () => (await app.fetch('/tasks?limit=1')).headers.get('x-total-count')

test.each([
  ['windows-1251', Buffer.from('{"title":"', 'latin1'), Buffer.from('cdeee2e0ff', 'hex')],
  ['half a letter', Buffer.from('{"title":"'), Buffer.from('я').subarray(0, 1)],
  ['half a surrogate pair', Buffer.from('{"title":"'), Buffer.from('eda080', 'hex')],
])('a body with %s is rejected instead of losing letters', async (_, ...parts) => {
  const before = await count()
  const body = Buffer.concat([...parts, Buffer.from('"}')])
  const answer = await post('/tasks', body)
  expectProblem(answer, 400)
  expect(answer.body.detail).toBe('The body is not valid UTF-8.')
  expectProblem(await post('/tasks', body, { 'content-type': 'application/json; charset=windows-1251' }), 400)
  expect(await count()).toBe(before)
})

test('a compressed body answers 415, and Content-Encoding: identity is accepted', async () => {
  const body = '{"title":"fine"}'
  expectProblem(await post('/tasks', gzipSync(body), { 'content-encoding': 'gzip' }), 415)
  expectProblem(await post('/tasks', body, { 'content-encoding': 'gzip' }), 415)
  expect((await post('/tasks', body, { 'content-encoding': 'Identity' })).status).toBe(201)
})

test('an unknown route answers 404, whatever the type of the body is', async () => {
  for (const type of ['text/plain', 'application/x-www-form-urlencoded']) {
    expectProblem(await post('/nowhere', 'x', { 'content-type': type }), 404)
    expectProblem(await post('/nowhere', chunked('x'), { 'content-type': type }), 404)
    const put = await app.fetch('/tasks', { method: 'PUT', headers: { 'content-type': type }, body: 'x' })
    expectProblem(put, 405)
    expect(put.headers.get('allow')).toContain('POST')
  }
})

// `curl -d ''`, forms of browsers and the like call nothing by some name.
describe.each(['text/plain', 'application/x-www-form-urlencoded', 'application/octet-stream'])(
  'a body of the type %s',
  (type) => {
    const headers = { 'content-type': type }

    test.each([
      ['', () => ''],
      [', of a length not told before', () => chunked()],
    ])('without anything in it is no body%s', async (_, body) => {
      const { status, body: task } = await post('/tasks', body(), headers)
      expect([status, task.title]).toEqual([201, 'Untitled task'])
      expect((await send('DELETE', `/tasks/${task.id}`, body(), headers)).status).toBe(204)
      expect((await post(`/tasks/${task.id}/restore`, body(), headers)).status).toBe(200)
      expectProblem(await post('/tasks/batch', body(), headers), 422)
    })

    test('with something in it is 415', async () => {
      const before = await count()
      expectProblem(await post('/tasks', ' ', headers), 415)
      expectProblem(await post('/tasks', chunked('', '{"title":', '"x"}'), headers), 415)
      expect(await count()).toBe(before)
    })
  },
)

describe('what a job sends', () => {
  const nested = (depth: number) => {
    const body = `${'['.repeat(depth)}${']'.repeat(depth)}`
    return `{"title":"x","job":{"type":"http","input":{"url":"http://127.0.0.1:1/","body":${body}}}}`
  }

  test.each([101, 2_000, 10_000, 400_000])(
    'is no JSON nested %i times, whatever it is for',
    async (depth) => {
      const before = await count()
      for (const headers of [{}, { 'idempotency-key': `nested ${depth}` }]) {
        const answer = await post('/tasks', nested(depth), headers)
        expectProblem(answer, 422)
        expect(answer.body.errors).toEqual([{ path: 'body.job.input.body', message: 'is nested too deeply' }])
      }
      const batch = `{"operations":[{"op":"create","task":${nested(depth)}}]}`
      expectProblem(await post('/tasks/batch', batch), 422)
      expect(await count()).toBe(before)
    },
  )

  test('may be nested 100 times', async () => {
    expect((await post('/tasks', nested(100))).status).toBe(201)
  })
})
