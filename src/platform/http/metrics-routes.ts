import type {} from '@fastify/swagger'
import type { FastifyPluginCallbackJsonSchemaToTs } from '@fastify/type-provider-json-schema-to-ts'
import { authorize } from '../../core/authorization.ts'
import { exposition, TEXT_FORMAT } from '../metrics/exposition.ts'
import type { Family } from '../metrics/metrics.ts'
import { problems } from './problem.ts'

/** Serves /metrics. `collect` returns the metrics of all processes that share the port. */
export function metricsRoutes(collect: () => Promise<Family[]>): FastifyPluginCallbackJsonSchemaToTs {
  return (app, _options, done) => {
    app.get(
      '/metrics',
      {
        schema: {
          tags: ['health'],
          summary: 'Read metrics in the text format of Prometheus',
          description: 'If access requires a token, it must be a token of an admin.',
          response: {
            200: {
              description: 'The metrics of all processes that share the port',
              content: {
                'text/plain': {
                  schema: {
                    type: 'string',
                    examples: ['# TYPE taskwire_sockets gauge\ntaskwire_sockets 3\n'],
                  },
                },
              },
            },
            ...problems(403),
          },
        },
      },
      async ({ actor }, reply) => {
        authorize(actor, 'metrics.read')
        return reply.type(TEXT_FORMAT).send(exposition(await collect()))
      },
    )
    done()
  }
}
