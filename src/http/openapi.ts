import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import fastifyStatic from '@fastify/static'
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'

const { version } = createRequire(import.meta.url)('../../package.json') as { version: string }

/** Collects the routes registered after it into the document. */
export async function registerOpenApi(app: FastifyInstance): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Taskwire',
        version,
        description:
          'Tasks over REST; every change live over WebSocket. Errors are problem details (RFC 9457).',
        license: { name: 'MIT', identifier: 'MIT' },
      },
      tags: [
        { name: 'tasks', description: 'Create, read, change and delete tasks' },
        { name: 'events', description: 'Every change as it is committed' },
        { name: 'importers', description: 'Background imports and their history' },
        { name: 'health', description: 'For load balancers and operators' },
      ],
      components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
      security: [{ bearer: [] }, {}],
    },
    transform: ({ schema, url }) => ({ schema, url: url === '/' ? url : url.replace(/\/$/, '') }),
  })
}

/** `/openapi.json`, Swagger UI at `/docs` and `/swagger`, Redoc at `/redoc`; no asset from another host. */
export async function registerDocs(app: FastifyInstance): Promise<void> {
  app.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger())
  for (const routePrefix of ['/docs', '/swagger']) {
    // In a scope of its own: the plugin decorates the instance, which can be done only once.
    await app.register(async (scope) => {
      await scope.register(swaggerUi, {
        routePrefix,
        theme: { title: 'Taskwire API' },
        uiConfig: { validatorUrl: null, deepLinking: true, tryItOutEnabled: true },
      })
    })
  }
  const redocBundle = fileURLToPath(import.meta.resolve('redoc/bundles/redoc.standalone.js'))
  await app.register(fastifyStatic, { root: dirname(redocBundle), serve: false })
  app.get('/redoc', { schema: { hide: true } }, async (_request, reply) =>
    // Redoc asks its maker's host for a logo; the policy keeps the page to this server.
    reply
      .header('content-security-policy', "default-src 'self' 'unsafe-inline' blob: data:")
      .type('text/html; charset=utf-8')
      .send(REDOC_PAGE),
  )
  app.get('/redoc/redoc.standalone.js', { schema: { hide: true } }, async (_request, reply) =>
    reply.sendFile('redoc.standalone.js', { maxAge: '1d' }),
  )
}

const REDOC_PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Taskwire API</title>
<style>body { margin: 0 } a[href*="redocly.com"] { display: none }</style>
</head>
<body>
<redoc spec-url="/openapi.json" disable-search="false"></redoc>
<script src="/redoc/redoc.standalone.js"></script>
</body>
</html>
`
