import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../support/app.ts'
import { createJob, jobIs } from '../support/jobs.ts'
import { listen } from '../support/listener.ts'
import { expectProblem } from '../support/problem.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'

let upstream: Upstream
let app: TestApp
beforeAll(async () => {
  upstream = await startUpstream()
  app = await startTestApp({ JOB_HTTP_ALLOW: '127.0.0.1' })
})
afterAll(async () => {
  await app[Symbol.asyncDispose]()
  await upstream[Symbol.asyncDispose]()
})

test('a request is sent with its secrets, which nobody is ever shown again', async () => {
  const seen: (string | undefined)[] = []
  let status = 500
  upstream.answer((request, response) => {
    seen.push(request.headers.authorization)
    response.writeHead(status, { 'content-type': 'text/plain' }).end('hello')
  })
  const listener = await listen(`${app.url.replace('http', 'ws')}/ws`)
  const input = {
    url: `${upstream.url}?api_key=CANARY1`,
    method: 'POST',
    headers: { Authorization: 'Bearer CANARY2', Accept: 'text/plain' },
    body: { a: 1 },
  }
  const made = await createJob(app, { type: 'http', input, max_attempts: 1 })
  expect(made.job.input).toEqual({
    ...input,
    url: `${upstream.url}?api_key=***`,
    headers: { Authorization: '***', Accept: 'text/plain' },
  })
  expect(await jobIs(app, made.id, 'failed')).toMatchObject({ job: { error: 'answered 500' } })
  status = 200
  await app.fetch(`/tasks/${made.id}/retry`, { method: 'POST' })
  const done = await jobIs(app, made.id, 'succeeded')
  const result = { status: 200, content_type: 'text/plain', bytes: 5, body: 'hello', truncated: false }
  expect(done.job).toMatchObject({ result, error: null })
  expect(seen).toEqual(['Bearer CANARY2', 'Bearer CANARY2'])

  const kept = await app.database.rows('SELECT * FROM tasks t, events e, task_runs r')
  const shown = [done, (await app.fetch('/tasks')).body, listener.events, app.logged, kept]
  expect(JSON.stringify(shown)).not.toMatch(/CANARY/)
  const [secret] = await app.database.rows('SELECT input FROM job_secrets WHERE task_id = $1', [made.id])
  expect(secret).toEqual({ input })
})

test('a private address is not called, and the job has failed at once', async () => {
  const { id } = await createJob(app, {
    type: 'http',
    input: { url: 'http://169.254.169.254/latest/meta-data/' },
  })
  const failed = await jobIs(app, id, 'failed')
  expect(failed.job).toMatchObject({
    attempts: 1,
    error: '169.254.169.254 is not an address that may be called',
  })
})

test.each([
  [{}, 'url', 'is required'],
  [{ url: 'ftp://example.com' }, 'url', 'must be an absolute http or https URL'],
  [{ url: 'http://example.com/\0' }, 'url', 'must be an absolute http or https URL'],
  [{ url: `http://example.com/${'x'.repeat(2048)}` }, 'url', 'must have at most 2048 characters'],
  [{ method: 'TRACE' }, 'method', 'must be one of GET, HEAD, POST, PUT, PATCH, DELETE'],
  [{ headers: { 'a b': 'x' } }, 'headers', 'must have names of headers that a request may choose'],
  [{ headers: { Host: 'x' } }, 'headers', 'must have names of headers that a request may choose'],
  [{ headers: { a: 'x\r\ny: z' } }, 'headers.a', 'must be printable ASCII'],
  [{ headers: { a: 1 } }, 'headers.a', 'must be a string'],
  [{ body: 7 }, 'body', 'must be a string or an object or an array'],
  [{ body: 'x'.repeat(10_001) }, 'body', 'must have at most 10000 characters'],
  [{ timeout_seconds: 301 }, 'timeout_seconds', 'must be at most 300'],
  [{ body: ['x'.repeat(16_384)] }, '', 'must be at most 16384 bytes of JSON'],
  [{ body: { a: ['\0'] } }, '', 'must not contain NUL or half a surrogate pair'],
  [{ body: { '\ud800': 1 } }, '', 'must not contain NUL or half a surrogate pair'],
])('the input %j is refused', async (input, path, message) => {
  const url = path === 'url' ? undefined : 'https://example.com/'
  const job = { type: 'http', input: { ...(url && { url }), ...input } }
  const answer = await app.send('POST', '/tasks', { title: 'x', job })
  expectProblem(answer, 422)
  const at = path === '' ? 'body.job.input' : `body.job.input.${path}`
  expect(answer.body.errors).toContainEqual({ path: at, message })
})
