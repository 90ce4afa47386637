import type { FastifyPluginCallbackJsonSchemaToTs } from '@fastify/type-provider-json-schema-to-ts'
import type { JSONSchema } from 'json-schema-to-ts'
import { DomainError, errorText } from '../../../core/errors.ts'
import { PROBLEM_JSON, toProblem } from '../error-handler.ts'

/** Resolves if the service it checks can be used; otherwise rejects with the reason. */
export type Check = () => Promise<unknown>

const PROBE_ROUTE = { access: 'public', isRateLimited: false } as const

const HealthySchema: JSONSchema = {
  type: 'object',
  description: 'The process runs',
  required: ['status'],
  properties: { status: { type: 'string', const: 'healthy' } },
  examples: [{ status: 'healthy' }],
}

const CheckSchema: JSONSchema = {
  type: 'object',
  required: ['status'],
  properties: {
    status: { type: 'string', enum: ['up', 'down'] },
    error: {
      type: 'string',
      description: 'The reason. Shown only if access needs no token, because it names internal services',
    },
  },
}

const ReadySchema: JSONSchema = {
  type: 'object',
  description: 'Requests can be served',
  required: ['status', 'checks'],
  properties: {
    status: { type: 'string', const: 'ready' },
    checks: { type: 'object', additionalProperties: CheckSchema },
    roles: { type: 'array', items: { type: 'string' }, description: 'Roles of this process' },
    worker: {
      type: ['integer', 'null'],
      description: 'Index of this process among those that share the port; null: there is only one',
    },
  },
  examples: [
    {
      status: 'ready',
      checks: { database: { status: 'up' } },
      roles: ['api', 'worker', 'scheduler', 'relay'],
      worker: null,
    },
  ],
}

/** Serves /health and /health/ready. Readiness needs all `required` checks; `optional` checks are only reported. */
export function healthRoutes({
  required,
  optional,
  roles,
  worker,
}: {
  required: Record<string, Check>
  optional: Record<string, Check>
  /** Roles of the process. */
  roles: readonly string[]
  /** Index of the process among those that share the port; null: there is only one. */
  worker: number | null
}): FastifyPluginCallbackJsonSchemaToTs {
  return (app, _options, done) => {
    app.get(
      '/health',
      {
        config: PROBE_ROUTE,
        schema: {
          tags: ['health'],
          summary: 'Check that the process runs',
          response: { 200: HealthySchema },
        },
      },
      async () => ({ status: 'healthy' }),
    )
    app.get(
      '/health/ready',
      {
        config: PROBE_ROUTE,
        schema: {
          tags: ['health'],
          summary: 'Check that requests can be served',
          description:
            'If a required service is down, the response is 503 with problem details that contain the same `checks`. Optional services may be down.',
          response: { 200: ReadySchema },
        },
      },
      async (request, reply) => {
        const isTrusted = request.actor.kind === 'operator'
        const results = await Promise.all(
          Object.entries({ ...required, ...optional }).map((check) => run(check, isTrusted)),
        )
        const down = results
          .filter(([name, { status }]) => name in required && status === 'down')
          .map(([name]) => name)
        const self = { roles, worker }
        if (down.length === 0) return { status: 'ready', checks: Object.fromEntries(results), ...self }
        const problem = toProblem(new DomainError('unavailable', `Down: ${down.join(', ')}.`), request.url)
        return reply
          .code(503 as never)
          .type(PROBLEM_JSON)
          .send({ ...problem, checks: Object.fromEntries(results), ...self })
      },
    )
    done()
  }
}

async function run(
  [name, check]: [string, Check],
  isTrusted: boolean,
): Promise<[string, { status: 'up' | 'down'; error?: string }]> {
  try {
    await check()
    return [name, { status: 'up' }]
  } catch (error) {
    return [name, { status: 'down', ...(isTrusted && { error: errorText(error) }) }]
  }
}
