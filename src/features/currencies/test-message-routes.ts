import { randomUUID } from 'node:crypto'
import type {} from '@fastify/swagger'
import type { FastifyPluginCallbackJsonSchemaToTs } from '@fastify/type-provider-json-schema-to-ts'
import type { JSONSchema } from 'json-schema-to-ts'
import { caller } from '../../core/actor.ts'
import { authorize } from '../../core/authorization.ts'
import { DomainError, validationError } from '../../core/errors.ts'
import { exactNumber } from '../../core/exact-json.ts'
import { problems } from '../../platform/http/problem.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import { type CurrencyMessage, readCurrencyMessage } from './currency-message.ts'
import { codeField } from './currency-schemas.ts'

const TestMessageQuery = {
  type: 'object',
  required: ['currency', 'rate'],
  properties: {
    currency: { ...codeField, default: 'USD' },
    rate: { type: 'string', format: 'decimal', default: '100', description: 'Roubles for one unit' },
  },
  additionalProperties: false,
} as const satisfies JSONSchema

const TakenSchema: JSONSchema = {
  type: 'object',
  description: 'The message was published',
  required: ['status'],
  properties: { status: { type: 'string', const: 'ok' } },
  examples: [{ status: 'ok' }],
}

/** Plays the other service; `publish` is undefined where there is no NATS. */
export function testMessageRoutes(deps: {
  publish: ((payload: string) => Promise<void>) | undefined
  log: Logger
}): FastifyPluginCallbackJsonSchemaToTs {
  const { publish, log } = deps
  return (app, _options, done) => {
    app.post(
      '/test/nats',
      {
        schema: {
          tags: ['currencies'],
          summary: 'Publish a rate over NATS, as another service would',
          description: 'For admins. The rate is processed like any other message and published as an event.',
          querystring: TestMessageQuery,
          response: { 200: TakenSchema, ...problems(422) },
        },
      },
      async (request) => {
        authorize(request.actor, 'currency.change')
        const { currency, rate } = request.query
        if (!publish) throw new DomainError('unavailable', 'NATS is not configured. Set NATS_URL.')
        const message: CurrencyMessage = {
          id: randomUUID(),
          currency,
          rate: exactNumber(withoutLeadingZeros(rate)),
          event_type: 'add_data_from_remote_source',
          timestamp: new Date().toISOString(),
          source: 'test',
        }
        const payload = JSON.stringify(message)
        try {
          readCurrencyMessage(Buffer.from(payload))
        } catch (error) {
          throw validationError([{ path: 'query', message: (error as Error).message }])
        }
        await publish(payload)
        log.info({ ...caller(request), currency }, 'test message published')
        return { status: 'ok' }
      },
    )
    done()
  }
}

function withoutLeadingZeros(digits: string): string {
  return digits.replace(/^0+(?=\d)/, '')
}
