import type { FastifyPluginCallbackJsonSchemaToTs } from '@fastify/type-provider-json-schema-to-ts'
import { unauthenticated } from '../../core/authorization.ts'
import { DomainError, validationError } from '../../core/errors.ts'
import type { Database } from '../../platform/database/database.ts'
import { problems } from '../../platform/http/problem.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import { hasAdmin, UserSchema } from '../users/index.ts'
import { AUTH_BODY_LIMIT } from './auth-routes.ts'
import { SetupSchema } from './auth-schemas.ts'
import { createFirstAdmin } from './first-admin.ts'
import type { Guesses } from './guesses.ts'
import { type Passwords, passwordMistake } from './password.ts'
import { setupClosedPage, setupDonePage, setupPage } from './setup-page.ts'
import type { SetupTokens } from './setup-token.ts'

const HTML = 'text/html; charset=utf-8'

/** The page of the setup link, which start prints while no admin exists, and the route that its form posts to. */
export function setupRoutes(deps: {
  db: Database
  passwords: Passwords
  setupTokens: SetupTokens
  guesses: Guesses
  log: Logger
  parseForms: (scope: Parameters<FastifyPluginCallbackJsonSchemaToTs>[0]) => void
}): FastifyPluginCallbackJsonSchemaToTs {
  const { db, passwords, setupTokens, guesses, log, parseForms } = deps

  async function isOpen(token: string): Promise<boolean> {
    return (await setupTokens.verify(token)) && !(await hasAdmin(db))
  }

  return (app, _options, done) => {
    parseForms(app)
    app.addHook('onRequest', (_request, reply, next) => {
      // The URL contains the token.
      reply.header('cache-control', 'no-store').header('referrer-policy', 'no-referrer')
      next()
    })

    app.get(
      '/auth/setup',
      { config: { access: 'public' }, schema: { hide: true } },
      async (request, reply) => {
        const { token } = request.query as { token?: unknown }
        const open = typeof token === 'string' && (await isOpen(token))
        return reply
          .code(open ? 200 : 401)
          .header('content-security-policy', PAGE_POLICY)
          .type(HTML)
          .send(open ? setupPage(token) : setupClosedPage())
      },
    )

    app.post(
      '/auth/setup',
      {
        config: { access: 'public' },
        bodyLimit: AUTH_BODY_LIMIT,
        // A browser that posts the form gets a page, also for errors.
        errorHandler: (error, request, reply) => {
          const { token } = (request.body ?? {}) as { token?: unknown }
          const expected = error instanceof DomainError && [409, 422].includes(error.status)
          if (!expected || !wantsPage(request.headers.accept) || typeof token !== 'string') throw error
          return reply
            .code(error.status as never)
            .header('content-security-policy', PAGE_POLICY)
            .type(HTML)
            .send(setupPage(token, { mistake: error.message.replaceAll('body.', '') }))
        },
        schema: {
          tags: ['auth'],
          summary: 'Create the first admin',
          description:
            'Needs the token of the setup link, which the server prints at start while no admin exists.',
          consumes: ['application/json', 'application/x-www-form-urlencoded'],
          body: SetupSchema,
          response: { 201: UserSchema, ...problems(400, 409, 413, 415, 422) },
        },
      },
      async (request, reply) => {
        const { token, username, password } = request.body
        const attempt = await guesses.begin(request.ip)
        const closed = unauthenticated(
          'The setup link is invalid: it has expired, or an admin already exists.',
        )
        if (!(await isOpen(token))) throw closed
        await attempt.succeeded()
        const mistake = passwordMistake(password, username)
        if (mistake) throw validationError([{ path: 'body.password', message: mistake }])
        const user = await createFirstAdmin(db, passwords, { username, password })
        if (!user) throw closed
        log.info({ reqId: request.id, address: request.ip, user: user.username }, 'first admin created')
        reply.code(201)
        if (!wantsPage(request.headers.accept)) return user
        return reply
          .header('content-security-policy', PAGE_POLICY)
          .type(HTML)
          .send(setupDonePage(user.username))
      },
    )
    done()
  }
}

const PAGE_POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"

function wantsPage(accept: string | undefined): boolean {
  return accept?.includes('text/html') ?? false
}
