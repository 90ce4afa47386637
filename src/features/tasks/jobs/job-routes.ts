import type {} from '@fastify/swagger'
import type { FastifyPluginCallbackJsonSchemaToTs } from '@fastify/type-provider-json-schema-to-ts'
import type { Database } from '../../../platform/database/database.ts'
import { etag } from '../../../platform/http/etag.ts'
import { idempotentHeaders, type Write } from '../../../platform/http/idempotent-writer.ts'
import { ListRunsSchema } from '../../../platform/http/page.ts'
import { problems } from '../../../platform/http/problem.ts'
import { IdParams, type TaskPresenter, TaskSchema, type TaskService } from '../index.ts'
import { QueueStatisticsSchema, TaskRunListSchema } from './job-schemas.ts'
import { type JobService, queueStatisticsFor } from './job-service.ts'
import { listTaskRuns } from './task-run-store.ts'

const controls = {
  retry: {
    summary: 'Queue the job of a task again',
    description:
      'One that failed starts anew with all its attempts; one that waits for its next attempt has it at once.',
  },
  cancel: {
    summary: 'Cancel the job of a task',
    description: 'One that is queued or running ends as failed; what runs is told to stop.',
  },
} as const

export function jobRoutes(deps: {
  db: Database
  tasks: TaskService
  write: Write<JobService>
  present: TaskPresenter
}): FastifyPluginCallbackJsonSchemaToTs {
  const { db, tasks, write, present } = deps
  return (app, _options, done) => {
    app.addHook('onRoute', (route) => {
      route.schema = { tags: ['jobs'], ...route.schema }
    })

    for (const [word, { summary, description }] of Object.entries(controls)) {
      app.post(
        `/tasks/:id/${word}`,
        {
          schema: {
            summary,
            description,
            params: IdParams,
            ...idempotentHeaders,
            response: { 200: TaskSchema, ...problems(404, 409, 422) },
          } as const,
        },
        (request, reply) =>
          write(request, reply, async (service) => {
            const row = await service[word as keyof JobService](request, request.params.id)
            return { status: 200, headers: { etag: etag(row.version) }, body: present(row) }
          }),
      )
    }

    app.get(
      '/tasks/:id/runs',
      {
        schema: {
          summary: 'Every run of a task’s job, newest first',
          params: IdParams,
          querystring: ListRunsSchema,
          response: { 200: TaskRunListSchema, ...problems(404, 422) },
        },
      },
      async ({ actor, params, query }) => {
        const { id } = await tasks.get(actor, params.id)
        return listTaskRuns(db, id, query.limit)
      },
    )

    app.get(
      '/queue',
      {
        schema: {
          summary: 'How much is waiting, at work and done',
          description: 'Of your own tasks; for admins of all.',
          response: { 200: QueueStatisticsSchema, ...problems() },
        },
      },
      async ({ actor }) => queueStatisticsFor(db, actor),
    )
    done()
  }
}
