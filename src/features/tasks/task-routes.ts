import type {} from '@fastify/swagger'
import type { FastifyPluginCallbackJsonSchemaToTs } from '@fastify/type-provider-json-schema-to-ts'
import type { JSONSchema } from 'json-schema-to-ts'
import { etag, matchesAny, versionsAllowed } from '../../platform/http/etag.ts'
import { conditionalHeaders, idempotentHeaders, type Write } from '../../platform/http/idempotent-writer.ts'
import { problems } from '../../platform/http/problem.ts'
import { ListTasksSchema } from './list-schema.ts'
import type { TaskPresenter } from './task.ts'
import type { TaskRow } from './task-columns.ts'
import { pageLinks } from './task-links.ts'
import type { ListedTask } from './task-query.ts'
import {
  createTaskSchema,
  IdParams,
  PatchTaskSchema,
  PutTaskSchema,
  TaskListSchema,
  TaskSchema,
  UNTITLED,
} from './task-schemas.ts'
import type { TaskService } from './task-service.ts'
import type { TaskWeather } from './weather/task-weather.ts'

const found = { 200: TaskSchema }
const bodyProblems = [400, 413, 415, 422]

/** Dependencies of routes that write tasks through a `Service`. */
export interface TaskWriting<Service> {
  write: Write<Service>
  present: TaskPresenter
  /** Schema of `job` in a task that is created. */
  jobSchema: JSONSchema
}

export function taskRoutes(
  deps: TaskWriting<TaskService> & { tasks: TaskService; weather: TaskWeather },
): FastifyPluginCallbackJsonSchemaToTs {
  const { tasks, write, present, jobSchema, weather } = deps
  const ok = (row: TaskRow) => ({ status: 200, headers: { etag: etag(row.version) }, body: present(row) })
  const shown = (row: ListedTask) =>
    row.deleted_at === undefined ? present(row) : { ...present(row), deleted_at: row.deleted_at }
  return (app, _options, done) => {
    app.addHook('onRoute', (route) => {
      route.schema = { tags: ['tasks'], ...route.schema }
    })

    app.get(
      '/tasks',
      {
        schema: {
          summary: 'List tasks',
          description:
            'Headers: `X-Total-Count` with the number of all matches, which is an estimate where `X-Total-Count-Exact` is `false`; `Link` with first, prev and next.',
          querystring: ListTasksSchema,
          response: { 200: TaskListSchema, ...problems(422) },
        },
      },
      async (request, reply) => {
        const page = await tasks.list(request.actor, request.query)
        const { count, exact } = page.total
        reply
          .header('x-total-count', count)
          .header('x-total-count-exact', String(exact))
          .header('link', pageLinks(request.url, page, request.query.limit))
        return page.rows.map(shown)
      },
    )

    app.get(
      '/tasks/:id',
      {
        schema: {
          summary: 'Read a task',
          description: 'With `If-None-Match` the answer is 304 while the task has not changed.',
          params: IdParams,
          response: { ...found, 304: { type: 'null', description: 'Not modified' }, ...problems(404, 422) },
        },
      },
      async (request, reply) => {
        const row = await tasks.get(request.actor, request.params.id)
        const tag = etag(row.version)
        reply.header('etag', tag)
        if (matchesAny(request.headers['if-none-match'], tag)) return reply.code(304).send(undefined as never)
        return present(row)
      },
    )

    app.post(
      '/tasks',
      {
        schema: {
          summary: 'Create a task',
          description: 'Without a body: an untitled executable task.',
          ...idempotentHeaders,
          body: createTaskSchema(jobSchema),
          response: { 201: TaskSchema, ...problems(409, ...bodyProblems) },
        },
        preValidation: (request, _reply, done) => {
          if (request.body === undefined) request.body = UNTITLED
          done()
        },
      },
      async (request, reply) => {
        const { actor, body } = request
        // Requested before a transaction may begin: no transaction waits for another service.
        const known = await weather.of(actor, 'task.create', body.city)
        return write(request, reply, async (service) => {
          const row = await service.create(request, body, known)
          const headers = { location: `/tasks/${row.id}`, etag: etag(row.version) }
          return { status: 201, headers, body: present(row) }
        })
      },
    )

    app.patch(
      '/tasks/:id',
      {
        schema: {
          summary: 'Change some fields of a task',
          params: IdParams,
          ...conditionalHeaders,
          body: PatchTaskSchema,
          response: { ...found, ...problems(404, 409, 412, ...bodyProblems) },
        },
      },
      async (request, reply) => {
        const { actor, body } = request
        const known = await weather.of(actor, 'task.change', body.city)
        return write(request, reply, async (service) =>
          ok(await service.patch(request, request.params.id, body, allowed(request), known)),
        )
      },
    )

    app.put(
      '/tasks/:id',
      {
        schema: {
          summary: 'Replace a task',
          params: IdParams,
          ...conditionalHeaders,
          body: PutTaskSchema,
          response: { ...found, ...problems(404, 409, 412, ...bodyProblems) },
        },
      },
      async (request, reply) => {
        const { actor, body } = request
        const known = await weather.of(actor, 'task.change', body.city)
        return write(request, reply, async (service) =>
          ok(await service.replace(request, request.params.id, body, allowed(request), known)),
        )
      },
    )

    app.delete(
      '/tasks/:id',
      {
        schema: {
          summary: 'Move a task to the trash',
          params: IdParams,
          ...conditionalHeaders,
          response: {
            204: { type: 'null', description: 'It is in the trash' },
            ...problems(404, 409, 412, 422),
          },
        },
      },
      (request, reply) =>
        write(request, reply, async (service) => {
          await service.remove(request, request.params.id, allowed(request))
          return { status: 204, headers: {}, body: null }
        }),
    )

    app.post(
      '/tasks/:id/restore',
      {
        schema: {
          summary: 'Take a task out of the trash',
          params: IdParams,
          ...idempotentHeaders,
          response: { ...found, ...problems(404, 409, 422) },
        },
      },
      (request, reply) =>
        write(request, reply, async (service) => ok(await service.restore(request, request.params.id))),
    )
    done()
  }
}

/** The versions that If-Match allows. */
function allowed({ headers }: { headers: { 'if-match'?: string } }): number[] | undefined {
  return versionsAllowed(headers['if-match'])
}
