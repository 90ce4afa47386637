import type {} from '@fastify/swagger'
import type { FastifyPluginCallbackJsonSchemaToTs } from '@fastify/type-provider-json-schema-to-ts'
import type { FastifyRequest } from 'fastify'
import type { JSONSchema } from 'json-schema-to-ts'
import { scopeOf } from '../core/access-scope.ts'
import { authorize, bearerToken, unauthenticated } from '../core/authorization.ts'
import { DomainError, validationError } from '../core/errors.ts'
import { problems } from '../platform/http/problem.ts'
import { admitReader, type SocketAuthenticator } from './admission.ts'
import { afterField, typesField, typesIn } from './event-query.ts'
import { channels, EnvelopeSchema, type EventType } from './event-types.ts'
import type { EventSources } from './sse-readers.ts'
import type { EventStream } from './stream.ts'

const EVENT_STREAM = 'text/event-stream; charset=utf-8'
const allTypes: ReadonlySet<EventType> = new Set(Object.values(channels).flat())

const EventsQuery = {
  type: 'object',
  required: ['limit'],
  properties: {
    after: afterField,
    types: typesField,
    limit: { type: 'integer', minimum: 1, maximum: 1000, default: 100, description: 'Of a JSON page' },
  },
  additionalProperties: false,
} as const satisfies JSONSchema

const PageSchema: JSONSchema = {
  type: 'object',
  required: ['events', 'next', 'more'],
  properties: {
    events: { type: 'array', items: EnvelopeSchema },
    next: { type: 'string', description: 'To give as `after` for the next page' },
    more: { type: 'boolean', description: 'Whether there is a next page already' },
  },
  title: 'EventPage',
  examples: [{ events: [], next: '184467', more: false }],
}

/** `GET /events`: the stream as Server-Sent Events or, where JSON is asked for, page by page. */
export function sseRoutes(deps: {
  stream: EventStream
  sources: EventSources
  gate: SocketAuthenticator
}): FastifyPluginCallbackJsonSchemaToTs {
  const { stream, sources, gate } = deps
  return (app, _options, done) => {
    app.get(
      '/events',
      {
        schema: {
          tags: ['events'],
          summary: 'Every event you may see, as Server-Sent Events or as JSON pages',
          description:
            'Server-Sent Events unless `Accept` asks for JSON: each `data` is an envelope as on the WebSockets. With `Last-Event-ID` or `after`, a message `resumed` comes first and says whether all that was missed is still there (`recovered`), and if so it comes next. JSON: what came after `after` (default: the first that is kept), at most `limit`; 410 when some of it is no longer kept.',
          querystring: EventsQuery,
          headers: {
            type: 'object',
            properties: { 'last-event-id': { type: 'string', description: 'As browsers send it' } },
          },
          response: {
            200: {
              description: 'The stream, or a page',
              content: {
                'application/json': {
                  schema: PageSchema,
                  example: { events: [], next: '184467', more: false },
                },
                'text/event-stream': {
                  schema: { type: 'string' },
                  example:
                    'id: 184467\ndata: {"id":"184467","type":"task_deleted","at":"2025-12-15T12:00:31.168401Z","data":{"task_id":1}}\n\n',
                },
              },
            },
            ...problems(410, 422),
          },
        },
      },
      async (request, reply) => {
        const { query, headers } = request
        const types = typesIn(query.types, allTypes)
        if (wantsJson(headers.accept)) {
          authorize(request.actor, 'event.read')
          const filter = { types, scope: scopeOf(request.actor), encoding: 'sse' as const }
          const after = query.after ?? (await stream.horizon())
          const page = await stream.page(filter, after, query.limit)
          if (!page)
            throw new DomainError('gone', `Not all events after ${after} are kept; read everything anew.`)
          const { envelopes, next, more } = page
          return reply
            .type('application/json; charset=utf-8')
            .serializer((text) => text as string)
            .send(`{"events":[${envelopes.join()}],"next":"${next}","more":${more}}` as never)
        }
        const after = lastEventId(headers['last-event-id']) ?? query.after
        if (request.method === 'HEAD') {
          authorize(request.actor, 'event.read')
          return reply.type(EVENT_STREAM).send()
        }
        const place = await admitReader(stream, gate, { types, encoding: 'sse', after }, () =>
          whoAsks(request),
        )
        if (gate.revokedSince(place.mark, place.actor)) {
          place.subscription.close()
          throw unauthenticated('The token is no longer valid.')
        }
        reply.hijack()
        const { 'content-length': _, ...kept } = reply.getHeaders()
        reply.raw.writeHead(200, {
          ...(kept as Record<string, string>),
          'content-type': EVENT_STREAM,
          'cache-control': 'no-store',
          // nginx would collect the events otherwise.
          'x-accel-buffering': 'no',
        })
        reply.raw.flushHeaders()
        sources.add(reply.raw, place.actor, place.subscription)
        return reply
      },
    )
    done()
  }

  async function whoAsks({ headers, actor, ip }: FastifyRequest) {
    const token = bearerToken(headers.authorization)
    return token === undefined ? actor : gate.authenticate(token, ip)
  }
}

function wantsJson(accept = ''): boolean {
  return accept.includes('application/json') && !accept.includes('text/event-stream')
}

function lastEventId(header: string | undefined): number | undefined {
  if (header === undefined || header === '') return undefined
  if (!/^\d{1,15}$/.test(header)) {
    throw validationError([{ path: 'headers.last-event-id', message: 'must be the id of an event' }])
  }
  return Number(header)
}
