import type {} from '@fastify/swagger'
import type { FastifyPluginCallbackJsonSchemaToTs } from '@fastify/type-provider-json-schema-to-ts'
import { caller } from '../../core/actor.ts'
import { problems } from '../../platform/http/problem.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import type { CalendarFeedService } from './calendar-feed-service.ts'
import { CreateFeedSchema, FeedListSchema, FeedParams, NewFeedSchema } from './calendar-schemas.ts'

const BODY_LIMIT = 4 * 1024

/** Routes for calendar feeds: secret URLs that a user gives to calendar programs. */
export function calendarFeedRoutes(deps: {
  feeds: CalendarFeedService
  log: Logger
}): FastifyPluginCallbackJsonSchemaToTs {
  const { feeds, log } = deps
  return (app, _options, done) => {
    app.addHook('onRoute', (route) => {
      route.schema = { tags: ['calendar'], ...route.schema }
      route.bodyLimit = BODY_LIMIT
    })
    app.addHook('onRequest', (_request, reply, next) => {
      reply.header('cache-control', 'no-store')
      next()
    })

    app.post(
      '/calendar-feeds',
      {
        schema: {
          summary: 'Create a calendar feed',
          description:
            'A calendar feed is a secret URL at which a calendar program reads your tasks. The URL is shown once. Anyone who has it can read your tasks as a calendar, and nothing else, until you delete the feed.',
          body: CreateFeedSchema,
          response: { 201: NewFeedSchema, ...problems(400, 409, 413, 415, 422) },
        },
      },
      async (request, reply) => {
        const { feed, token } = await feeds.create(request.actor, request.body.name)
        log.info({ ...caller(request), address: request.ip, feedId: feed.id }, 'calendar feed created')
        reply.code(201)
        return { ...feed, url: `${request.protocol}://${request.host}/tasks.ics?token=${token}` }
      },
    )

    app.get(
      '/calendar-feeds',
      {
        schema: {
          summary: 'List your calendar feeds',
          response: { 200: FeedListSchema, ...problems() },
        },
      },
      async ({ actor }) => feeds.list(actor),
    )

    app.delete(
      '/calendar-feeds/:id',
      {
        schema: {
          summary: 'Delete a calendar feed',
          description: 'Its URL stops working at once.',
          params: FeedParams,
          response: { 204: { type: 'null', description: 'The feed is deleted' }, ...problems(404, 422) },
        },
      },
      async (request, reply) => {
        await feeds.remove(request.actor, request.params.id)
        log.info(
          { ...caller(request), address: request.ip, feedId: request.params.id },
          'calendar feed deleted',
        )
        return reply.code(204).send(null)
      },
    )
    done()
  }
}
