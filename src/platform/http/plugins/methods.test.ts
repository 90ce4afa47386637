import { type FastifyContextConfig, fastify } from 'fastify'
import { expect, onTestFinished, test } from 'vitest'
import { DomainError } from '../../../core/errors.ts'
import { registerMethods } from './methods.ts'

async function server(observe: (config: FastifyContextConfig) => void = () => {}) {
  const app = fastify({ routerOptions: { ignoreTrailingSlash: true } })
  onTestFinished(() => app.close())
  app.setErrorHandler((error, _request, reply) => {
    const { status, headers, message } = error as DomainError
    expect(error).toBeInstanceOf(DomainError)
    return reply.code(status).headers(headers).send(message)
  })
  const { configOf } = registerMethods(app)
  app.addHook('onRequest', (request, _reply, done) => {
    observe(configOf(request))
    done()
  })
  const handler = async () => 'ok'
  app.get('/things', handler)
  app.post('/things', handler)
  app.get('/things/special', { config: { access: 'public' } }, handler)
  app.route({ method: ['PUT', 'DELETE'], url: '/things/:id', handler })
  app.get('/files/*', handler)
  // Like a folder of static files in which the file is missing.
  app.get('/missing/*', (_request, reply) => reply.callNotFound())
  await app.ready()
  return app
}

test.each([
  ['/things', 'GET, HEAD, OPTIONS, POST'],
  ['/things/', 'GET, HEAD, OPTIONS, POST'],
  ['/things?x=/nowhere', 'GET, HEAD, OPTIONS, POST'],
  ['/things/special', 'GET, HEAD, OPTIONS'],
  ['/things/7', 'DELETE, OPTIONS, PUT'],
  ['/files/a/b', 'GET, HEAD, OPTIONS'],
])('%s supports %s', async (url, allow) => {
  const app = await server()
  const refused = await app.inject({ method: 'PATCH', url })
  expect(refused.statusCode).toBe(405)
  expect(refused.headers.allow).toBe(allow)
  expect(refused.body).toBe(`${url.split('?')[0]} supports ${allow}.`)
  const options = await app.inject({ method: 'OPTIONS', url })
  expect([options.statusCode, options.headers.allow, options.body]).toEqual([204, allow, ''])
})

test.each(['/', '/thing', '/things/7/8', '/files', '//things'])(
  '%s answers 404 to every method',
  async (url) => {
    const app = await server()
    for (const method of ['GET', 'POST', 'OPTIONS', 'DELETE'] as const) {
      const answer = await app.inject({ method, url })
      expect([answer.statusCode, answer.headers.allow]).toEqual([404, undefined])
    }
  },
)

test('a path whose handler finds nothing answers 404 to supported methods and 405 to others', async () => {
  const app = await server()
  const get = await app.inject({ method: 'GET', url: '/missing/a' })
  expect([get.statusCode, get.headers.allow]).toEqual([404, undefined])
  expect((await app.inject({ method: 'PATCH', url: '/missing/a' })).statusCode).toBe(405)
})

test('the 404 of a very long path does not repeat the whole path', async () => {
  const app = await server()
  const answer = await app.inject({ method: 'GET', url: `/${'x'.repeat(5000)}` })
  expect(answer.statusCode).toBe(404)
  expect(answer.body.length).toBeLessThan(300)
})

test.each([
  ['GET', '/things/special', 'public'],
  ['HEAD', '/things/special?x', 'public'],
  ['PATCH', '/things/special', 'public'],
  ['OPTIONS', '/things/special/', 'public'],
  ['GET', '/things', undefined],
  ['PATCH', '/things/7', undefined],
  ['GET', '/nothing/special', undefined],
] as const)('the access of %s %s is %s', async (method, url, access) => {
  const configs: FastifyContextConfig[] = []
  const app = await server((config) => configs.push(config))
  await app.inject({ method, url })
  expect(configs.map((config) => config.access)).toEqual([access])
})
