import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'
import { version } from '../../core/version.ts'
import { tidyDocument } from './openapi-document.ts'
import type { UnmatchedHandler } from './plugins/methods.ts'
import { servePages } from './plugins/security-headers.ts'

/** The webhook messages that the server sends, by name: path items of OpenAPI. */
export type SentWebhooks = Record<string, object>

/** Collects the routes that are registered afterwards into the OpenAPI document. */
export async function registerOpenApi(app: FastifyInstance, webhooks: SentWebhooks = {}): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Taskwire',
        version,
        description:
          'Tasks over REST, and every change live over WebSocket. Errors are problem details (RFC 9457).',
        license: { name: 'MIT', identifier: 'MIT' },
      },
      tags: [
        { name: 'auth', description: 'Register, log in, sessions, API tokens' },
        { name: 'tasks', description: 'Create, read, change and delete tasks' },
        {
          name: 'calendar',
          description: 'Tasks as a calendar, and the secret URLs that calendar programs read',
        },
        { name: 'currencies', description: 'Exchange rates to the rouble, and their history' },
        { name: 'jobs', description: 'Jobs of tasks: retry, cancel, runs, the queue' },
        { name: 'attachments', description: 'Files of tasks' },
        { name: 'events', description: 'Every committed change, as a stream or in pages' },
        { name: 'webhooks', description: 'Events sent to URLs of your choice' },
        { name: 'importers', description: 'Background imports and their history; for admins' },
        { name: 'users', description: 'User accounts; for admins' },
        { name: 'health', description: 'Health checks and metrics, for load balancers and operators' },
      ],
      components: {
        securitySchemes: {
          bearer: { type: 'http', scheme: 'bearer' },
          password: { type: 'oauth2', flows: { password: { tokenUrl: '/auth/login', scopes: {} } } },
        },
      },
      security: [{ bearer: [] }, { password: [] }, {}],
      webhooks,
    },
    transformObject: (given) => tidyDocument('openapiObject' in given ? { ...given.openapiObject } : {}),
    transform: ({ schema, url, route }) => ({
      // Webhook messages that the server sends have no route.
      schema: route?.config?.access === 'public' ? { ...schema, security: [] } : schema,
      url: url === '/' ? url : url.replace(/\/$/, ''),
    }),
  })
}

/** Serves `/openapi.json`, Swagger UI at `/docs` and `/swagger`, and Redoc at `/redoc`, without assets of other hosts. */
export async function registerDocs(app: FastifyInstance, answerUnmatched: UnmatchedHandler): Promise<void> {
  app.get('/openapi.json', { config: DOCS_ROUTE, schema: { hide: true } }, async () => app.swagger())
  for (const routePrefix of ['/docs', '/swagger']) {
    // Registered in its own scope because the plugin may decorate an instance only once.
    await app.register(async (scope) => {
      serveDocs(scope)
      await scope.register(swaggerUi, {
        routePrefix,
        logo: { type: 'image/svg+xml', content: LOGO, href: '/' },
        theme: { title: 'Taskwire API', favicon: [FAVICON] },
        uiConfig: { validatorUrl: null, deepLinking: true, tryItOutEnabled: true },
      })
    })
  }
  for (const prefix of ['/docs', '/swagger', '/redoc']) servePublic404(app, prefix, answerUnmatched)
  await app.register(async (scope) => {
    serveDocs(scope)
    scope.get('/redoc', { schema: { hide: true } }, async (_request, reply) =>
      reply.type('text/html; charset=utf-8').send(REDOC_PAGE),
    )
    scope.get('/redoc/redoc.standalone.js', { schema: { hide: true } }, async (_request, reply) =>
      reply
        .type('text/javascript; charset=utf-8')
        .header('cache-control', 'public, max-age=86400')
        .send(await redocScript()),
    )
  })
}

/** The documentation is public, and a page loads many files. */
const DOCS_ROUTE = { access: 'public', isRateLimited: false } as const

/** Makes all routes of the scope public pages, those of a plugin too. */
function serveDocs(scope: FastifyInstance): void {
  scope.addHook('onRoute', (route) => {
    route.config = { ...route.config, ...DOCS_ROUTE }
  })
  servePages(scope, DOCS_POLICY)
}

/** Unknown paths below `prefix` are as public as the pages. Fastify gives such requests this `config`. */
function servePublic404(app: FastifyInstance, prefix: string, answerUnmatched: UnmatchedHandler): void {
  app.register(
    (scope, _options, done) => {
      const options = { config: DOCS_ROUTE, preHandler: [] }
      scope.setNotFoundHandler(options, answerUnmatched)
      done()
    },
    { prefix },
  )
}

/** Returns Redoc without the URL of its logo, which is on its maker's host. */
async function redocScript(): Promise<string> {
  const bundle = fileURLToPath(import.meta.resolve('redoc/bundles/redoc.standalone.js'))
  return (await readFile(bundle, 'utf8')).replace('https://cdn.redoc.ly/redoc/logo-mini.svg', 'data:,')
}

// Swagger UI and Redoc add style elements to the page; Redoc searches in a web worker made from a blob.
const DOCS_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  'worker-src blob:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

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
