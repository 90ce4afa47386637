import type {} from '@fastify/swagger'
import type { FastifyPluginCallbackJsonSchemaToTs } from '@fastify/type-provider-json-schema-to-ts'
import { etag, matchesAny, versionsAllowed } from '../../platform/http/etag.ts'
import { conditionalHeaders, idempotentHeaders, type Write } from '../../platform/http/idempotent-writer.ts'
import { problems } from '../../platform/http/problem.ts'
import { presentCurrency } from './currency.ts'
import {
  CreateCurrencySchema,
  CurrencyListSchema,
  CurrencySchema,
  KeyParams,
  ListCurrenciesSchema,
  PatchCurrencySchema,
} from './currency-schemas.ts'
import type { CurrencyService } from './currency-service.ts'

const bodyProblems = [400, 413, 415, 422]

export function currencyRoutes(deps: {
  currencies: CurrencyService
  write: Write<CurrencyService>
}): FastifyPluginCallbackJsonSchemaToTs {
  const { currencies, write } = deps
  return (app, _options, done) => {
    app.addHook('onRoute', (route) => {
      route.schema = { tags: ['currencies'], ...route.schema }
    })

    app.get(
      '/currencies',
      {
        schema: {
          summary: 'List currencies with their rates',
          description: 'In the order of their codes. Header: `X-Total-Count`.',
          querystring: ListCurrenciesSchema,
          response: { 200: CurrencyListSchema, ...problems(422) },
        },
      },
      async ({ actor, query }, reply) => {
        const { rows, total } = await currencies.list(actor, query)
        reply.header('x-total-count', total)
        return rows.map(presentCurrency)
      },
    )

    app.get(
      '/currencies/:key',
      {
        schema: {
          summary: 'Read a currency',
          description: 'With `If-None-Match` the answer is 304 while it has not changed.',
          params: KeyParams,
          response: {
            200: CurrencySchema,
            304: { type: 'null', description: 'Not modified' },
            ...problems(404, 422),
          },
        },
      },
      async ({ actor, params, headers }, reply) => {
        const row = await currencies.get(actor, params.key)
        const tag = etag(row.version)
        reply.header('etag', tag)
        if (matchesAny(headers['if-none-match'], tag)) return reply.code(304).send(undefined as never)
        return presentCurrency(row)
      },
    )

    app.post(
      '/currencies',
      {
        schema: {
          summary: 'Create a currency by hand',
          description: 'For admins.',
          ...idempotentHeaders,
          body: CreateCurrencySchema,
          response: { 201: CurrencySchema, ...problems(409, ...bodyProblems) },
        },
      },
      (request, reply) =>
        write(request, reply, async (service) => {
          const row = await service.create(request, request.body)
          return {
            status: 201,
            headers: { location: `/currencies/${row.id}`, etag: etag(row.version) },
            body: presentCurrency(row),
          }
        }),
    )

    app.patch(
      '/currencies/:key',
      {
        schema: {
          summary: 'Change a currency by hand',
          description: 'For admins. A rate set by hand holds until the bank names another one.',
          params: KeyParams,
          ...conditionalHeaders,
          body: PatchCurrencySchema,
          response: { 200: CurrencySchema, ...problems(404, 409, 412, ...bodyProblems) },
        },
      },
      (request, reply) =>
        write(request, reply, async (service) => {
          const { params, body } = request
          const row = await service.patch(request, params.key, body, allowed(request))
          return { status: 200, headers: { etag: etag(row.version) }, body: presentCurrency(row) }
        }),
    )

    app.delete(
      '/currencies/:key',
      {
        schema: {
          summary: 'Delete a currency and its history',
          description: 'For admins. Imports do not bring it back; it can be created again by hand.',
          params: KeyParams,
          ...conditionalHeaders,
          response: {
            204: { type: 'null', description: 'It is deleted' },
            ...problems(404, 409, 412, 422),
          },
        },
      },
      (request, reply) =>
        write(request, reply, async (service) => {
          await service.remove(request, request.params.key, allowed(request))
          return { status: 204, headers: {}, body: null }
        }),
    )
    done()
  }
}

/** The versions that If-Match allows. */
function allowed({ headers }: { headers: { 'if-match'?: string } }): number[] | undefined {
  return versionsAllowed(headers['if-match'])
}
