import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { DomainError, errorText } from '../../core/errors.ts'
import { PROBLEM_JSON, toProblem } from '../error-handler.ts'

/** Resolves while what it looks at can be used, else rejects with the reason. */
export type Check = () => Promise<unknown>

const CheckSchema = Type.Object({
  status: Type.String({ enum: ['up', 'down'] }),
  error: Type.Optional(Type.String()),
})

export function healthRoutes(checks: Record<string, Check>): FastifyPluginCallbackTypebox {
  return (app, _options, done) => {
    app.get(
      '/health',
      {
        schema: {
          tags: ['health'],
          summary: 'Whether the process lives',
          security: [],
          response: {
            200: Type.Object({ status: Type.Literal('healthy') }, { examples: [{ status: 'healthy' }] }),
          },
        },
      },
      async () => ({ status: 'healthy' as const }),
    )
    app.get(
      '/health/ready',
      {
        schema: {
          tags: ['health'],
          summary: 'Whether requests can be served',
          description: 'While not, the answer is 503 with problem details that have the same `checks`.',
          security: [],
          response: {
            200: Type.Object(
              { status: Type.Literal('ready'), checks: Type.Record(Type.String(), CheckSchema) },
              { examples: [{ status: 'ready', checks: { database: { status: 'up' } } }] },
            ),
          },
        },
      },
      async (request, reply) => {
        const results = await Promise.all(Object.entries(checks).map(run))
        const down = results.filter(([, { status }]) => status === 'down').map(([name]) => name)
        if (down.length === 0) return { status: 'ready' as const, checks: Object.fromEntries(results) }
        const problem = toProblem(new DomainError('unavailable', `Down: ${down.join(', ')}.`), request.url)
        return reply
          .code(503 as never)
          .type(PROBLEM_JSON)
          .send({ ...problem, checks: Object.fromEntries(results) } as never)
      },
    )
    done()
  }
}

async function run([name, check]: [string, Check]): Promise<
  [string, { status: 'up' | 'down'; error?: string }]
> {
  try {
    await check()
    return [name, { status: 'up' }]
  } catch (error) {
    return [name, { status: 'down', error: errorText(error) }]
  }
}
