import type {} from '@fastify/swagger'
import type { FastifyPluginCallbackJsonSchemaToTs } from '@fastify/type-provider-json-schema-to-ts'
import { caller } from '../../core/actor.ts'
import { idempotentHeaders, type Write } from '../../platform/http/idempotent-writer.ts'
import { problems } from '../../platform/http/problem.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import { deliveryRoutes } from './delivery-routes.ts'
import type { DeliveryService } from './delivery-service.ts'
import type { Webhook } from './webhook.ts'
import {
  CreateWebhookSchema,
  ListWebhooksSchema,
  PatchWebhookSchema,
  WebhookListSchema,
  WebhookParams,
  WebhookSchema,
  WebhookWithSecretSchema,
} from './webhook-schemas.ts'
import type { WebhookService } from './webhook-service.ts'

const bodyProblems = [400, 413, 415, 422]

/** What writes of webhooks work on. */
export interface WebhookServices {
  webhooks: WebhookService
  deliveries: DeliveryService
}

export function webhookRoutes(
  deps: WebhookServices & { write: Write<WebhookServices>; log: Logger },
): FastifyPluginCallbackJsonSchemaToTs {
  const { webhooks, deliveries, write, log } = deps
  return (app, _options, done) => {
    app.addHook('onRoute', (route) => {
      route.schema = { tags: ['webhooks'], ...route.schema }
    })
    app.addHook('onRequest', (_request, reply, next) => {
      reply.header('cache-control', 'no-store')
      next()
    })

    app.get(
      '/webhooks',
      {
        schema: {
          summary: 'List webhooks',
          description: 'Your own; admins see everybody’s. Header: `X-Total-Count`.',
          querystring: ListWebhooksSchema,
          response: { 200: WebhookListSchema, ...problems(422) },
        },
      },
      async ({ actor, query }, reply) => {
        const page = await webhooks.list(actor, query)
        reply.header('x-total-count', page.total)
        return page.webhooks
      },
    )

    app.get(
      '/webhooks/:id',
      {
        schema: {
          summary: 'Read a webhook',
          params: WebhookParams,
          response: { 200: WebhookSchema, ...problems(404, 422) },
        },
      },
      async ({ actor, params }) => webhooks.get(actor, params.id),
    )

    app.post(
      '/webhooks',
      {
        schema: {
          summary: 'Have events sent to an address',
          description:
            'Each event that you may read, from now on, is sent by POST, signed as Standard Webhooks says. The secret is shown once. Needs the scopes `write` and `read`.',
          ...idempotentHeaders,
          body: CreateWebhookSchema,
          response: { 201: WebhookWithSecretSchema, ...problems(409, ...bodyProblems) },
        },
      },
      (request, reply) =>
        write(request, reply, async (services) => {
          const made = await services.webhooks.create(request.actor, request.body)
          const committed = () => log.info({ ...caller(request), ...told(made) }, 'webhook created')
          return { status: 201, headers: { location: `/webhooks/${made.id}` }, body: made, committed }
        }),
    )

    app.patch(
      '/webhooks/:id',
      {
        schema: {
          summary: 'Change, disable or enable a webhook',
          description: 'While it is disabled nothing is collected for it.',
          params: WebhookParams,
          ...idempotentHeaders,
          body: PatchWebhookSchema,
          response: { 200: WebhookSchema, ...problems(404, 409, ...bodyProblems) },
        },
      },
      (request, reply) =>
        write(request, reply, async (services) => {
          const outcome = await services.webhooks.change(request.actor, request.params.id, request.body)
          const { webhook, changed } = outcome
          const fields = Object.keys(request.body)
          const committed = () =>
            log.info({ ...caller(request), ...told(webhook), fields }, 'webhook changed')
          return { status: 200, headers: {}, body: webhook, ...(changed && { committed }) }
        }),
    )

    app.delete(
      '/webhooks/:id',
      {
        schema: {
          summary: 'Delete a webhook and the log of its deliveries',
          params: WebhookParams,
          ...idempotentHeaders,
          response: { 204: { type: 'null', description: 'It is gone' }, ...problems(404, 409, 422) },
        },
      },
      (request, reply) =>
        write(request, reply, async (services) => {
          const { id: webhookId } = request.params
          await services.webhooks.remove(request.actor, webhookId)
          const committed = () => log.info({ ...caller(request), webhookId }, 'webhook deleted')
          return { status: 204, headers: {}, body: null, committed }
        }),
    )

    app.post(
      '/webhooks/:id/secret',
      {
        schema: {
          summary: 'Give a webhook a new secret',
          description: 'It is shown once. For 24 h messages are signed with the old one too.',
          params: WebhookParams,
          ...idempotentHeaders,
          response: { 200: WebhookWithSecretSchema, ...problems(404, 409, 422) },
        },
      },
      (request, reply) =>
        write(request, reply, async (services) => {
          const renewed = await services.webhooks.renewSecret(request.actor, request.params.id)
          const committed = () => log.info({ ...caller(request), ...told(renewed) }, 'webhook secret renewed')
          return { status: 200, headers: {}, body: renewed, committed }
        }),
    )

    app.register(deliveryRoutes({ deliveries, write, log }))
    done()
  }
}

/** What the log may say of it: the path of an address can be as secret as its query. */
function told({ id, url, enabled }: Webhook) {
  return { webhookId: id, receiver: new URL(url).origin, enabled }
}
