import { Readable } from 'node:stream'
import type {} from '@fastify/swagger'
import type { FastifyPluginCallbackJsonSchemaToTs } from '@fastify/type-provider-json-schema-to-ts'
import { scopeOf } from '../../core/access-scope.ts'
import { operator } from '../../core/actor.ts'
import { startIteration } from '../../core/start-iteration.ts'
import type { Queryable } from '../../platform/database/database.ts'
import { problems } from '../../platform/http/problem.ts'
import { iterateTasks } from '../tasks/index.ts'
import type { CalendarFeedService } from './calendar-feed-service.ts'
import { CalendarQuery } from './calendar-schemas.ts'
import { CALENDAR_BEGIN, CALENDAR_END, calendarTask, EXAMPLE } from './task-calendar.ts'

const HEADERS = {
  'content-type': 'text/calendar; charset=utf-8',
  'content-disposition': 'inline; filename="tasks.ics"',
  // Of calendars that ask often; what is shared must not keep it, since its address is a secret.
  'cache-control': 'private, max-age=60',
}

/** `site` is the name by which the tasks of this installation are told from those of others. */
export function calendarRoutes(deps: {
  db: Queryable
  feeds: CalendarFeedService
  site: () => Promise<string>
}): FastifyPluginCallbackJsonSchemaToTs {
  const { db, feeds, site } = deps

  /** The calendar in portions, each made when the one before it is on its way. */
  async function* written(owner: number | undefined): AsyncGenerator<string> {
    const name = await site()
    let text = CALENDAR_BEGIN
    // A calendar has its user's own tasks only, an admin's too: the filter says which, whatever the scope.
    for await (const rows of iterateTasks(db, {
      scope: scopeOf(operator),
      users: owner === undefined ? [] : [owner],
    })) {
      yield text + rows.map((row) => calendarTask(row, name)).join('')
      text = ''
    }
    yield text + CALENDAR_END
  }

  return (app, _options, done) => {
    app.get(
      '/tasks.ics',
      {
        // It would write the whole calendar, only to count it.
        exposeHeadRoute: false,
        schema: {
          tags: ['calendar'],
          summary: 'Your tasks as a calendar',
          description:
            'iCalendar (RFC 5545): each of your own tasks as a to-do and, if it has a due time, as an event at that time. With the token of a feed, as its address has it, those of the feed’s user; else by a bearer token.',
          querystring: CalendarQuery,
          response: {
            200: {
              description: 'The calendar',
              content: { 'text/calendar': { schema: { type: 'string' }, example: EXAMPLE } },
            },
            ...problems(422),
          },
        },
      },
      async (request, reply) => {
        const owner = await feeds.ownerFor(request.actor, request.query.token)
        // Before the headers, which an error must not have.
        const content = await startIteration(written(owner))
        return reply.headers(HEADERS).send(Readable.from(content) as never)
      },
    )
    app.head('/tasks.ics', { schema: { hide: true, querystring: CalendarQuery } }, async (request, reply) => {
      await feeds.ownerFor(request.actor, request.query.token)
      return reply.headers(HEADERS).send()
    })
    done()
  }
}
