import { type EventSchemas, eventMessage } from '../../events/asyncapi.ts'
import type { EventType } from '../../events/event-types.ts'

const header = (name: string, description: string, example: string) => ({
  name,
  in: 'header',
  required: true,
  description,
  schema: { type: 'string' },
  example,
})

const headers = [
  header('webhook-id', 'Id of the event, the same in every attempt', '184467'),
  header('webhook-timestamp', 'Time of this attempt, in seconds since 1970-01-01 UTC', '1765800031'),
  header(
    'webhook-signature',
    '`v1,` and the base64 of the HMAC-SHA256 of id, timestamp and body, joined by dots. While an old secret is still valid there are two signatures, separated by a space',
    'v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=',
  ),
]
const responses = {
  '2XX': { description: 'Accepted' },
  410: { description: 'Taskwire disables the webhook and sends nothing more' },
  default: { description: 'Taskwire retries for a day. It does not follow redirects' },
}

/** Describes the requests to webhooks as the `webhooks` object of an OpenAPI 3.1 document. */
export function webhookCalls(schemas: EventSchemas): Record<string, { post: object }> {
  return Object.fromEntries(
    (Object.keys(schemas) as EventType[]).map((type) => {
      const { payload, examples } = eventMessage(type, schemas[type])
      const content = { 'application/json': { schema: payload, example: examples[0]?.payload } }
      const post = {
        tags: ['webhooks'],
        summary: `The event ${type}`,
        security: [],
        parameters: headers,
        requestBody: { required: true, content },
        responses,
      }
      return [type, { post }]
    }),
  )
}
