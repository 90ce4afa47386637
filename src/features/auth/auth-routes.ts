import type {} from '@fastify/swagger'
import type { FastifyPluginCallbackJsonSchemaToTs } from '@fastify/type-provider-json-schema-to-ts'
import type { FastifyRequest } from 'fastify'
import { problems } from '../../platform/http/problem.ts'
import { UserSchema } from '../users/index.ts'
import {
  ChangePasswordSchema,
  GrantSchema,
  LoginSchema,
  RefreshSchema,
  RegisterSchema,
  SessionListSchema,
  SessionParams,
} from './auth-schemas.ts'
import type { AuthService, Client } from './auth-service.ts'

/** Maximum size of a body of these routes, in bytes. */
export const AUTH_BODY_LIMIT = 4096

const bodyProblems = [400, 413, 415, 422]

function clientOf(request: FastifyRequest): Client {
  return { reqId: request.id, address: request.ip, userAgent: request.headers['user-agent'] ?? '' }
}

/** Routes for accounts and sessions. `parseForms` lets the login accept a form too. */
export function authRoutes(deps: {
  auth: AuthService
  parseForms: (scope: Parameters<FastifyPluginCallbackJsonSchemaToTs>[0]) => void
}): FastifyPluginCallbackJsonSchemaToTs {
  const { auth, parseForms } = deps
  return (app, _options, done) => {
    app.addHook('onRoute', (route) => {
      route.schema = { tags: ['auth'], ...route.schema }
      route.bodyLimit = AUTH_BODY_LIMIT
    })
    // Responses with tokens must not be cached (RFC 6749, section 5.1).
    app.addHook('onRequest', (_request, reply, next) => {
      reply.header('cache-control', 'no-store')
      next()
    })

    app.post(
      '/auth/register',
      {
        config: { access: 'public' },
        schema: {
          summary: 'Register',
          body: RegisterSchema,
          response: { 201: GrantSchema, ...problems(409, ...bodyProblems) },
        },
      },
      async (request, reply) => {
        reply.code(201)
        return auth.register(request.body, clientOf(request))
      },
    )

    app.register((forms, _, formsDone) => {
      parseForms(forms as typeof app)
      ;(forms as typeof app).post(
        '/auth/login',
        {
          config: { access: 'public' },
          schema: {
            summary: 'Log in',
            consumes: ['application/json', 'application/x-www-form-urlencoded'],
            body: LoginSchema,
            response: { 200: GrantSchema, ...problems(...bodyProblems) },
          },
        },
        async (request) => auth.login(request.body, clientOf(request)),
      )
      formsDone()
    })

    app.post(
      '/auth/refresh',
      {
        config: { access: 'public' },
        schema: {
          summary: 'Exchange a refresh token for new tokens',
          description:
            'The old refresh token becomes invalid. Using it again ends the session, except within 10 s, because two browser tabs may race.',
          body: RefreshSchema,
          response: { 200: GrantSchema, ...problems(...bodyProblems) },
        },
      },
      async (request) => auth.refresh(request.body.refresh_token, clientOf(request)),
    )

    app.post(
      '/auth/logout',
      {
        schema: {
          summary: 'End the session of this access token',
          response: { 204: { type: 'null', description: 'The session has ended' }, ...problems() },
        },
      },
      async ({ actor }, reply) => {
        await auth.logout(actor)
        return reply.code(204).send(null)
      },
    )

    app.get(
      '/auth/me',
      { schema: { summary: 'Read the user of this token', response: { 200: UserSchema, ...problems() } } },
      async ({ actor }) => auth.me(actor),
    )

    app.post(
      '/auth/password',
      {
        schema: {
          summary: 'Change the password',
          description: 'Ends all sessions and WebSockets of the user; the response starts a new session.',
          body: ChangePasswordSchema,
          response: { 200: GrantSchema, ...problems(409, ...bodyProblems) },
        },
      },
      async (request) => {
        const { current_password: current, new_password: next } = request.body
        return auth.changePassword(request.actor, { current, next }, clientOf(request))
      },
    )

    app.get(
      '/auth/sessions',
      {
        schema: {
          summary: 'List your sessions, most recently used first',
          response: { 200: SessionListSchema, ...problems() },
        },
      },
      async ({ actor }) => {
        const sessions = await auth.sessions(actor)
        return sessions.map((session) => ({
          id: session.id,
          user_agent: session.userAgent,
          address: session.address,
          created_at: session.createdAt,
          last_used_at: session.lastUsedAt,
          expires_at: session.expiresAt,
          current: session.current,
        }))
      },
    )

    app.delete(
      '/auth/sessions/:id',
      {
        schema: {
          summary: 'End one of your sessions',
          params: SessionParams,
          response: { 204: { type: 'null', description: 'The session has ended' }, ...problems(404, 422) },
        },
      },
      async ({ actor, params }, reply) => {
        await auth.endSession(actor, params.id)
        return reply.code(204).send(null)
      },
    )
    done()
  }
}
