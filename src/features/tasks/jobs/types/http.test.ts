import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startUpstream, type Upstream } from '../../../../../test/support/upstream.ts'
import { PermanentFailure } from '../job-type.ts'
import { httpJob } from './http.ts'
import { type HttpInput, httpFormats, withoutSecrets } from './http-input.ts'

let upstream: Upstream
let elsewhere: Upstream
beforeAll(async () => {
  upstream = await startUpstream()
  elsewhere = await startUpstream()
})
afterAll(async () => {
  await upstream[Symbol.asyncDispose]()
  await elsewhere[Symbol.asyncDispose]()
})

const signal = new AbortController().signal
const run = (input: Partial<HttpInput> = {}, allowed = ['127.0.0.1']) =>
  httpJob(allowed).run({ url: upstream.url, ...input } as HttpInput, { signal, attempt: 1 })
const failed = (...call: Parameters<typeof run>) =>
  run(...call).then(
    () => new Error('it was done'),
    (error: Error) => error,
  )
const text = (content: string, type = 'text/plain'): RequestListener => {
  return (_request, response) => response.writeHead(200, { 'content-type': type }).end(content)
}
/** The next requests, with their bodies. */
function note(server: Upstream, answer: RequestListener = text('')) {
  const noted: { method: string; headers: IncomingMessage['headers']; body: string }[] = []
  server.answer(async (request, response) => {
    noted.push({ method: request.method!, headers: request.headers, body: String(await buffer(request)) })
    answer(request, response)
  })
  return noted
}

test('the request is the one that was asked for', async () => {
  const noted = note(upstream)
  await run({ method: 'PUT', headers: { 'X-Own': 'a', Authorization: 'Bearer t' }, body: 'plain ж' })
  await run({ method: 'POST', body: { a: [1, null] } })
  await run({ method: 'POST', headers: { 'Content-Type': 'application/vnd.x+json' }, body: ['x'] })
  await run({ url: upstream.url.replace('://', '://us%20er:p:w@') })
  expect(noted).toMatchObject([
    { method: 'PUT', headers: { 'x-own': 'a', authorization: 'Bearer t' }, body: 'plain ж' },
    { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"a":[1,null]}' },
    { method: 'POST', headers: { 'content-type': 'application/vnd.x+json' }, body: '["x"]' },
    { method: 'GET', headers: { authorization: `Basic ${btoa('us er:p:w')}`, 'user-agent': 'taskwire' } },
  ])
})

test('of the answer the status, the type and the text are kept', async () => {
  upstream.answer(text('{"a":1}', 'application/problem+json; charset=utf-8'))
  expect(await run()).toEqual({
    status: 200,
    content_type: 'application/problem+json; charset=utf-8',
    bytes: 7,
    body: '{"a":1}',
    truncated: false,
  })
  upstream.answer((_request, response) => response.writeHead(204, { 'set-cookie': 'a=b' }).end())
  expect(await run()).toMatchObject({ status: 204, content_type: null, bytes: 0, body: '' })
  upstream.answer(text('\u0000\u0001', 'image/png'))
  expect(await run()).toMatchObject({ bytes: 2, body: null, truncated: false })
  upstream.answer(text('"'.repeat(20_000)))
  const cut = (await run()) as { body: string }
  expect(cut).toMatchObject({ bytes: 20_000, truncated: true })
  expect(Buffer.byteLength(JSON.stringify(cut))).toBeLessThan(16 * 1024)
  expect(cut.body.length).toBeGreaterThan(7_000)
  upstream.answer((_request, response) => response.writeHead(200, { 'content-length': '5000000' }).end())
  expect(await run({ method: 'HEAD' })).toMatchObject({ status: 200, bytes: 0 })
})

test('an answer of more than 1 MiB is a failure, told from its length or found out', async () => {
  upstream.answer(text('x'.repeat(1024 * 1024)))
  expect(await run()).toMatchObject({ bytes: 1024 * 1024, truncated: true })
  for (const [flush, size] of [
    [true, 1024 * 1024 + 1],
    [false, 1024 * 1024 + 1],
  ] as const) {
    upstream.answer((_request, response) => {
      if (flush) response.flushHeaders()
      response.end(Buffer.alloc(size))
    })
    await expect(run()).rejects.toThrow('more than 1048576 bytes')
  }
})

test('statuses: those that may be better next time are failures, the others for good', async () => {
  for (const [status, isPermanent] of [
    [500, false],
    [503, false],
    [429, false],
    [408, false],
    [425, false],
    [400, true],
    [401, true],
    [404, true],
    [304, false],
  ] as const) {
    upstream.answer((_request, response) => response.writeHead(status).end('secret reason'))
    const failure = await failed()
    expect(failure.message).toBe(`answered ${status}`)
    expect([status, failure instanceof PermanentFailure]).toEqual([status, isPermanent])
  }
})

test.each([
  'http://127.0.0.1/',
  'http://127.1/',
  'http://2130706433/',
  'http://0x7f.0.0.1/',
  'http://localhost/',
  'http://[::1]/',
  'http://[::ffff:127.0.0.1]/',
  'http://[::ffff:7f00:1]/',
  'http://10.0.0.1/',
  'http://192.168.1.1/',
  'http://172.16.0.1/',
  'http://100.64.0.1/',
  'http://169.254.169.254/latest/meta-data/',
  'http://[fd00:ec2::254]/latest/meta-data/',
  'http://[fe80::1]/',
  'http://0.0.0.0/',
  'http://[::]/',
  'http://224.0.0.1/',
])('%s may not be called, and is not tried again', async (url) => {
  const failure = await failed({ url }, ['allowed.example'])
  expect(failure.message).toMatch(/may (not )?be called/)
  expect(failure).toBeInstanceOf(PermanentFailure)
})

test('redirects are followed and checked as the first address', async () => {
  elsewhere.answer(text('moved'))
  for (const status of [301, 302, 303, 307, 308]) {
    upstream.answer((_request, response) => response.writeHead(status, { location: elsewhere.url }).end())
    expect(await run()).toMatchObject({ body: 'moved' })
  }
  const port = new URL(elsewhere.url).port
  for (const location of [
    `http://localhost:${port}/`,
    `http://[::1]:${port}/`,
    'http://169.254.169.254/',
    'http://10.1.2.3/',
  ]) {
    const before = elsewhere.requests
    upstream.answer((_request, response) => response.writeHead(302, { location }).end())
    await expect(run()).rejects.toBeInstanceOf(PermanentFailure)
    expect(elsewhere.requests).toBe(before)
  }
  upstream.answer((_request, response) => response.writeHead(302, { location: 'file:///etc/passwd' }).end())
  await expect(run()).rejects.toThrow('redirected to file:')
  upstream.answer((_request, response) => response.writeHead(302, { location: '/again' }).end())
  await expect(run()).rejects.toThrow('more than 5 redirects')
  upstream.answer((_request, response) => response.writeHead(302).end())
  await expect(run()).rejects.toThrow('without a usable Location')
})

test('what is sent on after a redirect is what the method and the origin allow', async () => {
  const headers = { authorization: 'Bearer t', 'x-api-key': 'k', cookie: 'a=b', 'x-own': 'o' }
  for (const [status, method, expected, body] of [
    [303, 'POST', 'GET', ''],
    [302, 'POST', 'GET', ''],
    [301, 'PUT', 'PUT', '{"a":1}'],
    [307, 'POST', 'POST', '{"a":1}'],
    [308, 'PATCH', 'PATCH', '{"a":1}'],
  ] as const) {
    const noted = note(elsewhere)
    upstream.answer((_request, response) => response.writeHead(status, { location: elsewhere.url }).end())
    await run({ method, headers, body: { a: 1 } })
    expect(noted).toMatchObject([{ method: expected, body, headers: { 'x-own': 'o' } }])
    for (const secret of ['authorization', 'x-api-key', 'cookie'])
      expect(noted[0]!.headers).not.toHaveProperty(secret)
    expect('content-type' in noted[0]!.headers).toBe(body !== '')
  }
  // On the same origin they are sent on.
  let first = true
  const noted = note(upstream, (_request, response) => {
    if (first) response.writeHead(307, { location: '/again' })
    first = false
    response.end()
  })
  await run({ headers })
  expect(noted.at(-1)!.headers).toMatchObject(headers)
})

test('a job that is told to stop ends its connection', async () => {
  const closed = Promise.withResolvers<void>()
  const begun = Promise.withResolvers<void>()
  upstream.answer((_request, response) => {
    response.on('close', closed.resolve)
    response.write('x')
    begun.resolve()
  })
  const stop = new AbortController()
  const ended = httpJob(['127.0.0.1']).run({ url: upstream.url }, { signal: stop.signal, attempt: 1 })
  await begun.promise
  stop.abort(new Error('cancelled'))
  await expect(ended).rejects.toThrow()
  await closed.promise
  expect(httpJob([]).timeoutMs({ url: '' })).toBe(30_000)
  expect(httpJob([]).timeoutMs({ url: '', timeout_seconds: 2 })).toBe(2_000)
})

test('an upstream that is not there, or no HTTP, is a failure that may pass', async () => {
  const nothing = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => nothing.once('listening', resolve))
  const { port } = nothing.address() as { port: number }
  nothing.close()
  const failure = await failed({ url: `http://127.0.0.1:${port}/` })
  expect(failure.message).toMatch(/ECONNREFUSED/)
  expect(failure).not.toBeInstanceOf(PermanentFailure)
})

test('what is shown has no secret in it, and is the same object where there is none', () => {
  const plain: HttpInput = { url: 'https://example.com/a?b=c', headers: { 'X-Own': 'a' }, body: { a: 1 } }
  expect(withoutSecrets(plain)).toBe(plain)
  const secret: HttpInput = {
    url: 'https://us:pw@example.com/a?b=c&access_token=t&X-Amz-Signature=s#f',
    method: 'POST',
    headers: {
      Authorization: 'Bearer t',
      'X-Api-Key': 'k',
      Cookie: 'a=b',
      'x-auth': 'x',
      accept: 'text/plain',
    },
  }
  expect(withoutSecrets(secret)).toEqual({
    url: 'https://***:***@example.com/a?b=c&access_token=***&X-Amz-Signature=***#f',
    method: 'POST',
    headers: {
      Authorization: '***',
      'X-Api-Key': '***',
      Cookie: '***',
      'x-auth': '***',
      accept: 'text/plain',
    },
  })
})

test('formats: no URL, name or value that could do more than it says', () => {
  const url = httpFormats['http-url'].is
  for (const good of ['http://a', 'https://example.com:8443/x?y#z', 'http://[2001:db8::1]/'])
    expect(url(good)).toBe(true)
  for (const bad of [
    '',
    'example.com',
    '/x',
    'ftp://a',
    'file:///etc/passwd',
    'http://',
    'http://a/\0',
    'http://a/\ud800',
  ])
    expect(url(bad)).toBe(false)
  const name = httpFormats['header-name'].is
  for (const good of ['accept', 'X-Own_1', 'If-Match']) expect(name(good)).toBe(true)
  for (const bad of [
    '',
    'a b',
    'a:b',
    'a\nb',
    'ä',
    'Host',
    'content-length',
    'Transfer-Encoding',
    'proxy-authorization',
    'connection',
  ])
    expect(name(bad)).toBe(false)
  const value = httpFormats['header-value'].is
  for (const good of ['', 'a\tb', 'Bearer x.y~z']) expect(value(good)).toBe(true)
  for (const bad of ['a\r\nb', 'a\0', 'ж', '\x7f']) expect(value(bad)).toBe(false)
})
