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
          summary: 'Task statistics for a period',
          description:
            'Users see statistics for their own tasks; admins for all tasks. Without dates, all tasks outside the trash are counted.',
          querystring: AnalyticsQuerySchema,
          response: { 200: AnalyticsSchema, ...problems(422) },
        },
      },
      ({ actor, query }) => analyticsFor(db, actor, query, statusLabel),
    )
    done()
  }
}
