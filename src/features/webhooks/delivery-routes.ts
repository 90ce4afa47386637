import type {} from '@fastify/swagger'
import type { FastifyPluginCallbackJsonSchemaToTs } from '@fastify/type-provider-json-schema-to-ts'
import { caller } from '../../core/actor.ts'
import { idempotentHeaders, type Write } from '../../platform/http/idempotent-writer.ts'
import { problems } from '../../platform/http/problem.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import {
  DeliveryListSchema,
  DeliveryParams,
  DeliverySchema,
  DeliveryWithEventSchema,
  ListDeliveriesSchema,
} from './delivery-schemas.ts'
import type { DeliveryService } from './delivery-service.ts'
import type { Delivery } from './webhook.ts'
import { WebhookParams } from './webhook-schemas.ts'

/** The log of deliveries, and what can be sent by hand. */
export function deliveryRoutes(deps: {
  deliveries: DeliveryService
  write: Write<{ deliveries: DeliveryService }>
  log: Logger
}): FastifyPluginCallbackJsonSchemaToTs {
  const { deliveries, write, log } = deps
  const accepted = (delivery: Delivery, committed: () => void) => ({
    status: 202,
    headers: { location: `/webhooks/${delivery.webhook_id}/deliveries/${delivery.id}` },
    body: delivery,
    committed,
  })
  return (app, _options, done) => {
    app.get(
      '/webhooks/:id/deliveries',
      {
        schema: {
          summary: 'Log of the deliveries of a webhook, newest first',
          description: 'Header: `Link` with next. Kept as long as events are.',
          params: WebhookParams,
          querystring: ListDeliveriesSchema,
          response: { 200: DeliveryListSchema, ...problems(404, 422) },
        },
      },
      async (request, reply) => {
        const { id } = request.params
        const { limit, state } = request.query
        const page = await deliveries.list(request.actor, id, request.query)
        if (page.length === limit) {
          const query = new URLSearchParams({ before: String(page.at(-1)!.id), limit: String(limit) })
          if (state) query.set('state', state)
          reply.header('link', `</webhooks/${id}/deliveries?${query}>; rel="next"`)
        }
        return page
      },
    )

    app.get(
      '/webhooks/:id/deliveries/:delivery',
      {
        schema: {
          summary: 'Read a delivery, with what is sent',
          params: DeliveryParams,
          response: { 200: DeliveryWithEventSchema, ...problems(404, 422) },
        },
      },
      async ({ actor, params }) => deliveries.get(actor, params.id, params.delivery),
    )

    app.post(
      '/webhooks/:id/deliveries/:delivery/redeliver',
      {
        schema: {
          summary: 'Send a delivery now, whatever became of it before',
          description: 'With the same `webhook-id`; when it fails it is tried again as at first.',
          params: DeliveryParams,
          ...idempotentHeaders,
          response: { 202: DeliverySchema, ...problems(404, 409, 422) },
        },
      },
      (request, reply) =>
        write(request, reply, async (services) => {
          const { id: webhookId, delivery: deliveryId } = request.params
          const begun = await services.deliveries.redeliver(request.actor, webhookId, deliveryId)
          return accepted(begun, () =>
            log.info({ ...caller(request), webhookId, deliveryId }, 'webhook delivery begun anew'),
          )
        }),
    )

    app.post(
      '/webhooks/:id/test',
      {
        schema: {
          summary: 'Send a message of the type `webhook_test`',
          params: WebhookParams,
          ...idempotentHeaders,
          response: { 202: DeliverySchema, ...problems(404, 409, 422) },
        },
      },
      (request, reply) =>
        write(request, reply, async (services) => {
          const { id: webhookId } = request.params
          const begun = await services.deliveries.test(request.actor, webhookId)
          return accepted(begun, () =>
            log.info({ ...caller(request), webhookId, deliveryId: begun.id }, 'webhook tested'),
          )
        }),
    )
    done()
  }
}
