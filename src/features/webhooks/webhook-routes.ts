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

/** The services that webhook writes use. */
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
          description:
            'Returns your own webhooks; admins see the webhooks of all users. Header: `X-Total-Count`.',
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
          summary: 'Create a webhook',
          description:
            'Taskwire sends each later event that you may read to the URL by POST, signed as specified by Standard Webhooks. The secret is shown only in this response. Requires the scopes `write` and `read`.',
          ...idempotentHeaders,
          body: CreateWebhookSchema,
          response: { 201: WebhookWithSecretSchema, ...problems(409, ...bodyProblems) },
        },
      },
      (request, reply) =>
        write(request, reply, async (services) => {
          const made = await services.webhooks.create(request.actor, request.body)
          const committed = () => log.info({ ...caller(request), ...loggedFields(made) }, 'webhook created')
          return { status: 201, headers: { location: `/webhooks/${made.id}` }, body: made, committed }
        }),
    )

    app.patch(
      '/webhooks/:id',
      {
        schema: {
          summary: 'Change, disable or enable a webhook',
          description: 'A disabled webhook collects no events.',
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
            log.info({ ...caller(request), ...loggedFields(webhook), fields }, 'webhook changed')
          return { status: 200, headers: {}, body: webhook, ...(changed && { committed }) }
        }),
    )

    app.delete(
      '/webhooks/:id',
      {
        schema: {
          summary: 'Delete a webhook and its delivery log',
          params: WebhookParams,
          ...idempotentHeaders,
          response: {
            204: { type: 'null', description: 'The webhook was deleted' },
            ...problems(404, 409, 422),
          },
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
          summary: 'Renew the secret of a webhook',
          description:
            'The new secret is shown only in this response. For 24 hours messages are also signed with the old secret.',
          params: WebhookParams,
          ...idempotentHeaders,
          response: { 200: WebhookWithSecretSchema, ...problems(404, 409, 422) },
        },
      },
      (request, reply) =>
        write(request, reply, async (services) => {
          const renewed = await services.webhooks.renewSecret(request.actor, request.params.id)
          const committed = () =>
            log.info({ ...caller(request), ...loggedFields(renewed) }, 'webhook secret renewed')
          return { status: 200, headers: {}, body: renewed, committed }
        }),
    )

    app.register(deliveryRoutes({ deliveries, write, log }))
    done()
  }
}

/** Returns the fields that may be logged. The path of a URL can be as secret as its query. */
function loggedFields({ id, url, enabled }: Webhook) {
  return { webhookId: id, receiver: new URL(url).origin, enabled }
}
