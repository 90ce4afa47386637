import type {} from '@fastify/swagger'
import type { FastifyPluginCallbackJsonSchemaToTs } from '@fastify/type-provider-json-schema-to-ts'
import type { Database } from '../../platform/database/database.ts'
import { problems } from '../../platform/http/problem.ts'
import type { Status } from '../tasks/index.ts'
import { analyticsFor } from './analytics.ts'
import { AnalyticsQuerySchema, AnalyticsSchema } from './analytics-schemas.ts'

export function analyticsRoutes(deps: {
  db: Database
  statusLabel: (status: Status) => string
}): FastifyPluginCallbackJsonSchemaToTs {
  const { db, statusLabel } = deps
  return (app, _options, done) => {
    app.get(
      '/analytics',
      {
        schema: {
          tags: ['tasks'],
          summary: 'Figures of tasks in a period',
          description:
            'Of one’s own tasks; an admin’s are of everybody’s. Without dates: of all that are not in the trash.',
          querystring: AnalyticsQuerySchema,
          response: { 200: AnalyticsSchema, ...problems(422) },
        },
      },
      ({ actor, query }) => analyticsFor(db, actor, query, statusLabel),
    )
    done()
  }
}
