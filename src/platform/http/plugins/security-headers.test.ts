import helmet from '@fastify/helmet'
import { type FastifyInstance, fastify } from 'fastify'
import { expect, onTestFinished, test } from 'vitest'
import { registerSecurityHeaders, servePages } from './security-headers.ts'

const POLICY = "default-src 'self'"

async function headersOf(register: (app: FastifyInstance) => unknown, url = '/'): Promise<object> {
  const app = fastify()
  onTestFinished(() => app.close())
  await register(app)
  app.get('/', async () => 'ok')
  const { headers } = await app.inject(url)
  const { date, connection, ...rest } = headers
  return rest
}

/** Returns the headers that helmet itself sends with this policy, without HSTS. */
const helmets = (directives: Record<string, string[]>) =>
  headersOf((app) =>
    app.register(helmet, {
      contentSecurityPolicy: { useDefaults: false, directives },
      strictTransportSecurity: false,
    }),
  )

test('a page has exactly the headers of helmet', async () => {
  const ours = await headersOf((app) => {
    registerSecurityHeaders(app)
    servePages(app, POLICY)
  })
  expect(ours).toEqual(await helmets({ defaultSrc: ["'self'"] }))
})

test('data has those that matter to it, as helmet makes them', async () => {
  const ours = await headersOf(registerSecurityHeaders)
  const theirs = await helmets({ defaultSrc: ["'none'"], frameAncestors: ["'none'"] })
  expect(theirs).toMatchObject(ours)
})

test('the policy of a page is that of its scope alone', async () => {
  const policies = async (url: string) =>
    headersOf((app) => {
      registerSecurityHeaders(app)
      app.register(async (scope) => {
        servePages(scope, POLICY)
        scope.get('/page', async () => 'ok')
      })
    }, url)
  expect(await policies('/page')).toMatchObject({ 'content-security-policy': POLICY })
  expect(await policies('/')).toMatchObject({
    'content-security-policy': "default-src 'none';frame-ancestors 'none'",
  })
})
