import type { JSONSchema } from 'json-schema-to-ts'
import { channels, type EventType } from './event-types.ts'

/** The schema of the `data` of each event, with an example. */
export type EventSchemas = Record<EventType, JSONSchema>

type Json = Record<string, unknown>

const resumed = {
  name: 'resumed',
  summary: 'The first message to who asked to resume; it has no id',
  payload: {
    type: 'object',
    required: ['type', 'data'],
    properties: {
      type: { const: 'resumed' },
      data: {
        type: 'object',
        required: ['after', 'recovered'],
        properties: {
          after: { type: 'string', description: 'The id that was asked for' },
          recovered: {
            type: 'boolean',
            description: 'false: some of what was missed is no longer kept, so read everything anew',
          },
        },
      },
    },
  },
  examples: [{ payload: { type: 'resumed', data: { after: '184467', recovered: true } } }],
}

const auth = {
  name: 'auth',
  summary: 'The first message of a client that needs a token and could not send it in the handshake',
  payload: {
    type: 'object',
    required: ['type', 'token'],
    properties: { type: { const: 'auth' }, token: { type: 'string' } },
  },
  examples: [{ payload: { type: 'auth', token: 'eyJ…' } }],
}

/** The events as an AsyncAPI 3 document, from the schemas that the features give. */
export function asyncApiDocument(version: string, schemas: EventSchemas): Json {
  const all = Object.values(channels).flat()
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Taskwire events',
      version,
      description:
        'Every change as it is committed, in one order for all readers. `after` resumes behind the last event that a reader has: none lost, none twice.',
      license: { name: 'MIT' },
    },
    defaultContentType: 'application/json',
    servers: {
      websocket: { host: 'localhost:8000', protocol: 'ws', security: [bearer] },
      http: { host: 'localhost:8000', protocol: 'http', security: [bearer] },
    },
    channels: {
      all: channel('/ws', 'websocket', 'Every event you may see', all, true),
      ...Object.fromEntries(
        Object.entries(channels).map(([name, types]) => [
          name,
          channel(`/ws/${name}`, 'websocket', `Events of ${name}`, types, true),
        ]),
      ),
      serverSentEvents: channel('/events', 'http', 'The same as Server-Sent Events', all, false),
    },
    operations: Object.fromEntries(
      ['all', ...Object.keys(channels), 'serverSentEvents'].map((name) => [
        `hear_${name}`,
        { action: 'send', channel: { $ref: `#/channels/${name}` }, summary: 'The server tells an event' },
      ]),
    ),
    components: {
      messages: {
        ...Object.fromEntries(all.map((type) => [type, eventMessage(type, schemas[type])])),
        resumed,
        auth,
      },
    },
  }
}

const bearer = { type: 'http', scheme: 'bearer' }

function channel(
  address: string,
  server: string,
  description: string,
  types: readonly EventType[],
  takesAuth: boolean,
): Json {
  const names = [...types, 'resumed', ...(takesAuth ? ['auth'] : [])]
  const query = {
    type: 'object',
    properties: {
      after: { type: 'integer', description: 'The id of the last event that the reader has' },
      types: { type: 'string', description: 'Only these types, comma separated' },
    },
  }
  return {
    address,
    description,
    servers: [{ $ref: `#/servers/${server}` }],
    messages: Object.fromEntries(names.map((name) => [name, { $ref: `#/components/messages/${name}` }])),
    ...(server === 'websocket' && { bindings: { ws: { query } } }),
  }
}

/** The envelope around the data of one type, with its examples. */
export function eventMessage(type: EventType, schema: JSONSchema) {
  const { examples = [], ...data } = schema as { examples?: unknown[] }
  const envelope = (payload: unknown) => ({
    id: '184467',
    type,
    at: '2025-12-15T12:00:31.168401Z',
    data: payload,
  })
  return {
    name: type,
    payload: {
      type: 'object',
      required: ['id', 'type', 'at', 'data'],
      properties: {
        id: { type: 'string', pattern: '^[0-9]+$', description: 'Decimal; grows with each event' },
        type: { const: type },
        at: { type: 'string', format: 'date-time' },
        data,
      },
    },
    examples: examples.map((example) => ({ payload: envelope(example) })),
  }
}
