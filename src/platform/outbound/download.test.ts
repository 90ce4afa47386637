import type { RequestListener } from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startUpstream, type Upstream } from '../../../test/support/upstream.ts'
import { type DownloadOptions, download } from './download.ts'

let upstream: Upstream
beforeAll(async () => {
  upstream = await startUpstream()
})
afterAll(() => upstream[Symbol.asyncDispose]())

const limits: DownloadOptions = { timeoutMs: 5_000, maxBytes: 1000, accept: 'application/json' }
const get = (options: Partial<DownloadOptions> = {}) => download(upstream.url, { ...limits, ...options })

test('the body comes as it was sent, asked for by what is accepted', async () => {
  let accept: string | undefined
  upstream.answer((request, response) => {
    accept = request.headers.accept
    response.end(Buffer.from([0, 255, 10, 13]))
  })
  expect(await get()).toEqual(Buffer.from([0, 255, 10, 13]))
  expect(accept).toBe('application/json')
})

test('exactly the limit is taken, one byte more is not, with and without a length', async () => {
  for (const [size, flush] of [
    [1000, false],
    [1000, true],
    [1001, false],
    [1001, true],
  ] as const) {
    upstream.answer((_request, response) => {
      if (flush) response.write('')
      if (flush) response.flushHeaders()
      response.end(Buffer.alloc(size))
    })
    if (size === 1000) expect((await get()).length).toBe(1000)
    else await expect(get()).rejects.toThrow('more than 1000 bytes')
  }
})

test('credentials of the URL are sent to its origin, and not to where it redirects', async () => {
  const seen: (string | undefined)[] = []
  const listener: RequestListener = (request, response) => {
    seen.push(request.headers.authorization)
    response.end('[]')
  }
  await using elsewhere = await startUpstream()
  elsewhere.answer(listener)
  upstream.answer((request, response) => {
    if (request.url === '/away') response.writeHead(302, { location: elsewhere.url }).end()
    else listener(request, response)
  })
  const url = new URL(upstream.url)
  url.username = 'us%20er'
  url.password = 'p:w'
  await download(url.href, limits)
  url.pathname = '/away'
  await download(url.href, limits)
  expect(seen).toEqual([`Basic ${Buffer.from('us er:p:w').toString('base64')}`, undefined])
})

const silent: RequestListener = () => {}
const headersOnly: RequestListener = (_request, response) => response.writeHead(200).flushHeaders()
const drip: RequestListener = (request, response) => {
  const timer = setInterval(() => response.write(' '), 10)
  request.socket.on('close', () => clearInterval(timer))
}
const slowRedirects: RequestListener = (_request, response) => {
  setTimeout(() => response.writeHead(302, { location: '/todos' }).end(), 80)
}

test.each([
  ['no answer', silent],
  ['headers without a body', headersOnly],
  ['a slow drip', drip],
  ['slow redirects, each of them in time', slowRedirects],
])('the time is for all of it: %s', async (_what, listener) => {
  upstream.answer(listener)
  await expect(get({ timeoutMs: 200 })).rejects.toThrow(new Error('no complete answer within 0.2 s'))
})

test('a stop from outside ends it at once, also before it began', async () => {
  upstream.answer(headersOnly)
  const stop = new AbortController()
  const before = upstream.requests
  const failing = get({ signal: stop.signal })
  const failed = expect(failing).rejects.toThrow(/abort/)
  while (upstream.requests === before) await new Promise(setImmediate)
  stop.abort()
  await failed
  await expect(get({ signal: AbortSignal.abort() })).rejects.toThrow(/abort/)
})

test('five redirects are followed, six are not; every redirect status counts', async () => {
  const statuses = [301, 302, 303, 307, 308, 302]
  for (const hops of [5, 6]) {
    let hop = 0
    upstream.answer((_request, response) => {
      if (hop < hops) response.writeHead(statuses[hop++]!, { location: `/hop-${hop}` }).end('ignored')
      else response.end('there')
    })
    if (hops === 5) expect(String(await get())).toBe('there')
    else await expect(get()).rejects.toThrow('more than 5 redirects')
  }
})

test.each([
  ['http://169.254.169.254/latest/meta-data/', /169\.254\.169\.254 is not an address that may be called/],
  ['http://[fe80::1]/', /fe80::1 is not an address that may be called/],
  ['http://[::ffff:169.254.169.254]/', /is not an address that may be called/],
  ['http://0xa9.0xfe.0xa9.0xfe/', /169\.254\.169\.254 is not an address that may be called/],
  ['http://2852039166/', /169\.254\.169\.254 is not an address that may be called/],
  ['http://0.0.0.0/', /0\.0\.0\.0 is not an address that may be called/],
  ['//169.254.169.254/', /169\.254\.169\.254 is not an address that may be called/],
  ['file:///etc/passwd', /^redirected to file:, which is not http\(s\)$/],
  ['data:application/json,[]', /^redirected to data:, which is not http\(s\)$/],
  ['ftp://127.0.0.1/', /^redirected to ftp:, which is not http\(s\)$/],
  ['http://', /^status 302 without a usable Location$/],
])('a private source that redirects to %s is refused', async (location, reason) => {
  upstream.answer((_request, response) => response.writeHead(302, { location }).end())
  await expect(get()).rejects.toThrow(reason)
})

test('what cannot be reached has a reason', async () => {
  const options = { ...limits, timeoutMs: 5_000 }
  await expect(download('http://127.0.0.1:1/', options)).rejects.toThrow(/ECONNREFUSED/)
  await expect(download('http://nobody.invalid/', options)).rejects.toThrow(
    /^nobody\.invalid cannot be found/,
  )
})
