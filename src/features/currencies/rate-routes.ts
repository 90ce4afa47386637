import type {} from '@fastify/swagger'
import type { FastifyPluginCallbackJsonSchemaToTs } from '@fastify/type-provider-json-schema-to-ts'
import { exactNumber } from '../../core/exact-json.ts'
import { periodOf } from '../../platform/http/period.ts'
import { problems } from '../../platform/http/problem.ts'
import { KeyParams } from './currency-schemas.ts'
import type { CurrencyService } from './currency-service.ts'
import {
  ConversionSchema,
  ConvertQuery,
  HistoryQuery,
  HistorySchema,
  SeriesQuery,
  SeriesSchema,
} from './rate-schemas.ts'

/** Routes for history, series and conversion of rates. */
export function rateRoutes({
  currencies,
}: {
  currencies: CurrencyService
}): FastifyPluginCallbackJsonSchemaToTs {
  return (app, _options, done) => {
    app.addHook('onRoute', (route) => {
      route.schema = { tags: ['currencies'], ...route.schema }
    })

    app.get(
      '/currencies/:key/history',
      {
        schema: {
          summary: 'Every rate of a period, the oldest first',
          description: 'Header: `X-Total-Count`.',
          params: KeyParams,
          querystring: HistoryQuery,
          response: { 200: HistorySchema, ...problems(404, 422) },
        },
      },
      async ({ actor, params, query }, reply) => {
        const { points, total } = await currencies.history(actor, params.key, periodOf(query), query)
        reply.header('x-total-count', total)
        return points.map((point) => ({ ...point, rate: exactNumber(point.rate) }))
      },
    )

    app.get(
      '/currencies/:key/series',
      {
        schema: {
          summary: 'Rates of a period for a chart',
          description:
            'The last rate of each day that has one; where that would be more than `points`, of each week, month or year.',
          params: KeyParams,
          querystring: SeriesQuery,
          response: { 200: SeriesSchema, ...problems(404, 422) },
        },
      },
      async ({ actor, params, query }) => {
        const series = await currencies.series(actor, params.key, periodOf(query), query.points)
        return { ...series, rates: series.rates.map(exactNumber) }
      },
    )

    app.get(
      '/currencies/convert',
      {
        schema: {
          summary: 'Convert an amount by the rates to the rouble',
          querystring: ConvertQuery,
          response: { 200: ConversionSchema, ...problems(404, 422) },
        },
      },
      async ({ actor, query }) => {
        const { amount, rate, result, from_date, to_date } = await currencies.convert(actor, query)
        return {
          from: query.from,
          to: query.to,
          amount: exactNumber(amount),
          rate: exactNumber(rate),
          result: exactNumber(result),
          dates: {
            ...(from_date && { [query.from]: from_date }),
            ...(to_date && { [query.to]: to_date }),
          },
        }
      },
    )
    done()
  }
}
