import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import fastifyStatic from '@fastify/static'
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'
import { tidyDocument } from './openapi-document.ts'

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
    transformObject: (given) => tidyDocument('openapiObject' in given ? { ...given.openapiObject } : {}),
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
        logo: { type: 'image/svg+xml', content: LOGO, href: '/' },
        theme: { title: 'Taskwire API', favicon: [FAVICON] },
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

const LOGO = Buffer.from(
  '<svg xmlns="http://www.w3.org/2000/svg" width="150" height="40"><text x="2" y="28" fill="#fff" font-family="sans-serif" font-size="26" font-weight="600">taskwire</text></svg>',
)
const FAVICON = {
  filename: 'favicon.svg',
  rel: 'icon',
  sizes: 'any',
  type: 'image/svg+xml',
  content:
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#1f4b8f"/><path d="M8 17l6 6 11-14" fill="none" stroke="#fff" stroke-width="4" stroke-linecap="round" stroke-linejoin="round"/></svg>',
}

const REDOC_PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Taskwire API</title>
<link rel="icon" href="/docs/static/theme/favicon.svg">
<style>body { margin: 0 }</style>
</head>
<body>
<redoc spec-url="/openapi.json" disable-search="false"></redoc>
<script src="/redoc/redoc.standalone.js"></script>
</body>
</html>
`
