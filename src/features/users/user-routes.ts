import type {} from '@fastify/swagger'
import type { FastifyPluginCallbackJsonSchemaToTs } from '@fastify/type-provider-json-schema-to-ts'
import { caller } from '../../core/actor.ts'
import { problems } from '../../platform/http/problem.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import { ListUsersSchema, PatchUserSchema, UserIdParams, UserListSchema, UserSchema } from './user-schemas.ts'
import type { UserService } from './user-service.ts'

export function userRoutes(deps: { users: UserService; log: Logger }): FastifyPluginCallbackJsonSchemaToTs {
  const { users, log } = deps
  return (app, _options, done) => {
    app.addHook('onRoute', (route) => {
      route.schema = { tags: ['users'], ...route.schema }
    })

    app.get(
      '/users',
      {
        schema: {
          summary: 'List users',
          description: 'For admins. Header: `X-Total-Count`.',
          querystring: ListUsersSchema,
          response: { 200: UserListSchema, ...problems(422) },
        },
      },
      async ({ actor, query }, reply) => {
        const page = await users.list(actor, query)
        reply.header('x-total-count', page.total)
        return page.users
      },
    )

    app.patch(
      '/users/:id',
      {
        schema: {
          summary: 'Change the role of a user, or disable or enable them',
          description: 'For admins. The last admin cannot be demoted or disabled (409).',
          params: UserIdParams,
          body: PatchUserSchema,
          response: { 200: UserSchema, ...problems(400, 404, 409, 413, 415, 422) },
        },
      },
      async (request) => {
        const { user, changed } = await users.change(request.actor, request.params.id, request.body)
        if (changed) {
          const to = { role: user.role, disabled: user.disabled }
          log.info({ ...caller(request), address: request.ip, subject: user.username, ...to }, 'user changed')
        }
        return user
      },
    )
    done()
  }
}
