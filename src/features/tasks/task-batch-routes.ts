import type {} from '@fastify/swagger'
import type { FastifyPluginCallbackJsonSchemaToTs } from '@fastify/type-provider-json-schema-to-ts'
import { idempotentHeaders } from '../../platform/http/idempotent-writer.ts'
import { problems } from '../../platform/http/problem.ts'
import type { TaskBatches } from './task-batch.ts'
import { BATCH_BODY_LIMIT, BatchResultsSchema, batchSchema, type Operation } from './task-batch-schemas.ts'
import type { TaskRow } from './task-columns.ts'
import type { TaskWriting } from './task-routes.ts'

export function taskBatchRoutes(deps: TaskWriting<TaskBatches>): FastifyPluginCallbackJsonSchemaToTs {
  const { write, present, jobSchema } = deps

  const result = (row: TaskRow, { op }: Operation) => ({
    op,
    id: row.id,
    ...(op !== 'delete' && { task: present(row) }),
  })

  return (app, _options, done) => {
    app.post(
      '/tasks/batch',
      {
        bodyLimit: BATCH_BODY_LIMIT,
        schema: {
          tags: ['tasks'],
          summary: 'Create, change and delete many tasks, all or nothing',
          description:
            'The operations are done in their order, each as its own request would be; an update is as PATCH. One that fails gives its status to the answer, `errors` say which it was, and nothing is changed.',
          ...idempotentHeaders,
          body: batchSchema(jobSchema),
          response: { 200: BatchResultsSchema, ...problems(400, 404, 409, 412, 413, 415, 422) },
        },
      },
      (request, reply) =>
        write(request, reply, async (batches) => {
          const { operations } = request.body as { operations: Operation[] }
          const rows = await batches.run(request, operations)
          return {
            status: 200,
            headers: {},
            body: { results: rows.map((row, i) => result(row, operations[i]!)) },
          }
        }),
    )
    done()
  }
}
