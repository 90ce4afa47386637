import { fastify } from 'fastify'
import { expect, onTestFinished, test } from 'vitest'
import { logTo } from '../../../../test/support/log.ts'
import { type Actor, anonymous, operator } from '../../../core/actor.ts'
import { createRateLimiter } from '../../rate-limit/index.ts'
import { errorHandler } from '../error-handler.ts'
import { registerRateLimit } from './rate-limit.ts'

const log = logTo([])
const user = (id: number): Actor => ({
  kind: 'user',
  id,
  username: `user${id}`,
  role: 'user',
  scopes: [],
  epoch: 0,
})

async function server(points: number) {
  const app = fastify({ trustProxy: true })
  onTestFinished(() => app.close())
  app.setErrorHandler(errorHandler(log))
  let actor: Actor = anonymous
  app.decorateRequest('actor')
  app.addHook('onRequest', (request, _reply, done) => {
    request.actor = actor
    done()
  })
  const limiter = points > 0 ? createRateLimiter({ name: 'test', points, seconds: 60, log }) : undefined
  registerRateLimit(app, { limiter, configOf: ({ routeOptions }) => routeOptions.config })
  app.get('/*', async () => 'ok')
  app.get('/free', { config: { isRateLimited: false } }, async () => 'ok')
  await app.ready()
  return async (as: Actor, url = '/tasks', ip = '192.0.2.1') => {
    actor = as
    const answer = await app.inject({ url, headers: { 'x-forwarded-for': ip } })
    return {
      status: answer.statusCode,
      limit: answer.headers.ratelimit,
      policy: answer.headers['ratelimit-policy'],
      retryAfter: answer.headers['retry-after'],
      body: answer.body,
    }
  }
}

test('each response reports the remaining requests, and one beyond the limit answers 429', async () => {
  const ask = await server(2)
  const policy = '"default";q=2;w=60'
  expect(await ask(user(1))).toMatchObject({ status: 200, limit: '"default";r=1;t=60', policy, body: 'ok' })
  expect(await ask(user(1))).toMatchObject({ status: 200, limit: '"default";r=0;t=60' })
  const refused = await ask(user(1))
  expect(refused).toMatchObject({ status: 429, limit: '"default";r=0;t=60', policy, retryAfter: '60' })
  expect(JSON.parse(refused.body)).toEqual({
    type: 'about:blank',
    title: 'Too Many Requests',
    status: 429,
    detail: 'More than 2 requests in 60 s. Retry in 60 s.',
    instance: '/tasks',
  })
  expect(await ask(user(2))).toMatchObject({ status: 200 })
  expect(await ask(anonymous)).toMatchObject({ status: 200 })
})

test('a user has one limit across all addresses, and anonymous callers have one for each /64', async () => {
  const ask = await server(1)
  expect(await ask(user(1), '/', '192.0.2.1')).toMatchObject({ status: 200 })
  expect(await ask(user(1), '/', '192.0.2.2')).toMatchObject({ status: 429 })
  expect(await ask(anonymous, '/', '192.0.2.1')).toMatchObject({ status: 200 })
  expect(await ask(anonymous, '/', '::ffff:192.0.2.1')).toMatchObject({ status: 429 })
  expect(await ask(anonymous, '/', '2001:db8::1')).toMatchObject({ status: 200 })
  expect(await ask(anonymous, '/', '2001:db8::2')).toMatchObject({ status: 429 })
  expect(await ask(anonymous, '/', '2001:db8:0:1::1')).toMatchObject({ status: 200 })
})

test('the operator is never limited, and nobody is if there is no limiter', async () => {
  const free = { status: 200, limit: undefined, policy: undefined }
  const limited = await server(1)
  const open = await server(0)
  for (let i = 0; i < 3; i++) {
    expect(await limited(operator)).toMatchObject(free)
    expect(await open(anonymous)).toMatchObject(free)
  }
})

test('routes with `isRateLimited: false` are not counted', async () => {
  const ask = await server(1)
  for (const url of ['/free', '/free?x=1']) {
    expect(await ask(anonymous, url)).toMatchObject({ status: 200, limit: undefined })
  }
  expect(await ask(anonymous)).toMatchObject({ status: 200, limit: '"default";r=0;t=60' })
  expect(await ask(anonymous)).toMatchObject({ status: 429 })
  expect(await ask(anonymous, '/free')).toMatchObject({ status: 200, limit: undefined })
})
