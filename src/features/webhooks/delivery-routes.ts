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

/** Routes of the delivery log and of manual deliveries. */
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
          summary: 'List the deliveries of a webhook, newest first',
          description: 'Header: `Link` with `rel="next"`. Deliveries are kept as long as events.',
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
          summary: 'Read a delivery with the event it sends',
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
          summary: 'Send a delivery again now, whatever its state',
          description: 'It keeps its `webhook-id`. Failed attempts are retried on the full schedule again.',
          params: DeliveryParams,
          ...idempotentHeaders,
          response: { 202: DeliverySchema, ...problems(404, 409, 422) },
        },
      },
      (request, reply) =>
        write(request, reply, async (services) => {
          const { id: webhookId, delivery: deliveryId } = request.params
          const delivery = await services.deliveries.redeliver(request.actor, webhookId, deliveryId)
          return accepted(delivery, () =>
            log.info({ ...caller(request), webhookId, deliveryId }, 'webhook delivery restarted'),
          )
        }),
    )

    app.post(
      '/webhooks/:id/test',
      {
        schema: {
          summary: 'Send a test message of type `webhook_test`',
          params: WebhookParams,
          ...idempotentHeaders,
          response: { 202: DeliverySchema, ...problems(404, 409, 422) },
        },
      },
      (request, reply) =>
        write(request, reply, async (services) => {
          const { id: webhookId } = request.params
          const delivery = await services.deliveries.test(request.actor, webhookId)
          return accepted(delivery, () =>
            log.info({ ...caller(request), webhookId, deliveryId: delivery.id }, 'webhook tested'),
          )
        }),
    )
    done()
  }
}
