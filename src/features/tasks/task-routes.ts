import type {} from '@fastify/swagger'
import type { FastifyPluginCallbackJsonSchemaToTs } from '@fastify/type-provider-json-schema-to-ts'
import { caller } from '../../core/actor.ts'
import { etag, matchesAny, versionsAllowed } from '../../core/etag.ts'
import { problems } from '../../core/problem.ts'
import type { Logger } from '../../logging/logger.ts'
import type { TaskPresenter } from './task.ts'
import {
  CreateTaskSchema,
  IdParams,
  ListTasksSchema,
  PatchTaskSchema,
  PutTaskSchema,
  TaskListSchema,
  TaskSchema,
} from './task-schemas.ts'
import type { TaskService } from './task-service.ts'

const ifMatch = {
  headers: {
    type: 'object',
    properties: {
      'if-match': {
        type: 'string',
        description: 'ETag of the version to change; 412 if it is another by now',
      },
    },
  },
} as const
const found = { 200: TaskSchema }
const bodyProblems = [400, 413, 415, 422]

export function taskRoutes(deps: {
  tasks: TaskService
  present: TaskPresenter
  log: Logger
}): FastifyPluginCallbackJsonSchemaToTs {
  const { tasks, present, log } = deps
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
            'Headers: `X-Total-Count` with the number of all matches, `Link` with first, prev and next.',
          querystring: ListTasksSchema,
          response: { 200: TaskListSchema, ...problems(422) },
        },
      },
      async (request, reply) => {
        const { rows, total } = await tasks.list(request.actor, request.query)
        const { skip, limit } = request.query
        reply.header('x-total-count', total).header('link', pageLinks(request.url, skip, limit, total))
        return rows.map(present)
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
          body: CreateTaskSchema,
          response: { 201: TaskSchema, ...problems(...bodyProblems) },
        },
      },
      async (request, reply) => {
        const row = await tasks.create(request.actor, request.body)
        log.info({ ...caller(request), taskId: row.id }, 'task created')
        reply.code(201).header('location', `/tasks/${row.id}`).header('etag', etag(row.version))
        return present(row)
      },
    )

    app.patch(
      '/tasks/:id',
      {
        schema: {
          summary: 'Change some fields of a task',
          params: IdParams,
          ...ifMatch,
          body: PatchTaskSchema,
          response: { ...found, ...problems(404, 412, ...bodyProblems) },
        },
      },
      async (request, reply) => {
        const { id } = request.params
        const row = await tasks.patch(request.actor, id, request.body, allowed(request))
        if (row.changed)
          log.info({ ...caller(request), taskId: id, fields: Object.keys(request.body) }, 'task updated')
        reply.header('etag', etag(row.version))
        return present(row)
      },
    )

    app.put(
      '/tasks/:id',
      {
        schema: {
          summary: 'Replace a task',
          params: IdParams,
          ...ifMatch,
          body: PutTaskSchema,
          response: { ...found, ...problems(404, 412, ...bodyProblems) },
        },
      },
      async (request, reply) => {
        const { id } = request.params
        const row = await tasks.replace(request.actor, id, request.body, allowed(request))
        if (row.changed) log.info({ ...caller(request), taskId: id }, 'task replaced')
        reply.header('etag', etag(row.version))
        return present(row)
      },
    )

    app.delete(
      '/tasks/:id',
      {
        schema: {
          summary: 'Move a task to the trash',
          params: IdParams,
          ...ifMatch,
          response: { 204: { type: 'null', description: 'It is in the trash' }, ...problems(404, 412, 422) },
        },
      },
      async (request, reply) => {
        const { id } = request.params
        await tasks.remove(request.actor, id, allowed(request))
        log.info({ ...caller(request), taskId: id }, 'task deleted')
        return reply.code(204).send(null)
      },
    )

    app.post(
      '/tasks/:id/restore',
      {
        schema: {
          summary: 'Take a task out of the trash',
          params: IdParams,
          response: { ...found, ...problems(404, 422) },
        },
      },
      async (request, reply) => {
        const row = await tasks.restore(request.actor, request.params.id)
        log.info({ ...caller(request), taskId: row.id }, 'task restored')
        reply.header('etag', etag(row.version))
        return present(row)
      },
    )
    done()
  }
}

/** The versions that If-Match allows. */
function allowed({ headers }: { headers: { 'if-match'?: string } }): number[] | undefined {
  return versionsAllowed(headers['if-match'])
}

/** Link relations of a page (RFC 8288), relative to the server. */
function pageLinks(url: string, skip: number, limit: number, total: number): string {
  const [path, query = ''] = url.split('?')
  const link = (to: number, rel: string) => {
    const parameters = new URLSearchParams(query)
    parameters.set('skip', String(to))
    parameters.set('limit', String(limit))
    return `<${path}?${parameters}>; rel="${rel}"`
  }
  const links = [link(0, 'first')]
  if (skip > 0) links.push(link(Math.max(0, skip - limit), 'prev'))
  if (skip + limit < total) links.push(link(skip + limit, 'next'))
  return links.join(', ')
}
