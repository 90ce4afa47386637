import type {} from '@fastify/swagger'
import type { FastifyPluginCallbackJsonSchemaToTs } from '@fastify/type-provider-json-schema-to-ts'
import { type Actor, caller } from '../../core/actor.ts'
import { problems } from '../../platform/http/problem.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import type { ApiTokenService } from './api-token-service.ts'
import { AUTH_BODY_LIMIT } from './auth-routes.ts'
import {
  ApiTokenListSchema,
  ApiTokenParams,
  CreateApiTokenSchema,
  NewApiTokenSchema,
  TicketSchema,
} from './auth-schemas.ts'

/** Routes for API tokens, and for the one-time tickets with which browsers open WebSockets. */
export function apiTokenRoutes(deps: {
  apiTokens: ApiTokenService
  issueTicket: (actor: Actor) => Promise<{ ticket: string; expires_in: number }>
  log: Logger
}): FastifyPluginCallbackJsonSchemaToTs {
  const { apiTokens, issueTicket, log } = deps
  return (app, _options, done) => {
    app.addHook('onRoute', (route) => {
      route.schema = { tags: ['auth'], ...route.schema }
      route.bodyLimit = AUTH_BODY_LIMIT
    })
    app.addHook('onRequest', (_request, reply, next) => {
      reply.header('cache-control', 'no-store')
      next()
    })

    app.post(
      '/auth/tokens',
      {
        schema: {
          summary: 'Create an API token for scripts and services',
          description: 'The token is shown once. It can neither create other tokens nor change the password.',
          body: CreateApiTokenSchema,
          response: { 201: NewApiTokenSchema, ...problems(400, 409, 413, 415, 422) },
        },
      },
      async (request, reply) => {
        const { name, scopes, expires_in_days: expiresInDays = null } = request.body
        const made = await apiTokens.create(request.actor, { name, scopes: [...scopes], expiresInDays })
        log.info({ ...caller(request), address: request.ip, tokenId: made.id, scopes }, 'API token created')
        reply.code(201)
        return made
      },
    )

    app.get(
      '/auth/tokens',
      { schema: { summary: 'List your API tokens', response: { 200: ApiTokenListSchema, ...problems() } } },
      async ({ actor }) => apiTokens.list(actor),
    )

    app.delete(
      '/auth/tokens/:id',
      {
        schema: {
          summary: 'Delete one of your API tokens',
          description: 'It is revoked at once on this process, and within 2 s on all others.',
          params: ApiTokenParams,
          response: { 204: { type: 'null', description: 'The token is revoked' }, ...problems(404, 422) },
        },
      },
      async (request, reply) => {
        await apiTokens.remove(request.actor, request.params.id)
        log.info({ ...caller(request), address: request.ip, tokenId: request.params.id }, 'API token deleted')
        return reply.code(204).send(null)
      },
    )

    app.post(
      '/auth/ticket',
      {
        schema: {
          summary: 'Get a one-time ticket for a WebSocket',
          description:
            'For browsers, which cannot send an Authorization header: open the WebSocket with `?ticket=`. It works once, within 30 s.',
          response: { 201: TicketSchema, ...problems() },
        },
      },
      async ({ actor }, reply) => {
        reply.code(201)
        return issueTicket(actor)
      },
    )
    done()
  }
}
