import { Readable } from 'node:stream'
import type {} from '@fastify/swagger'
import type { FastifyPluginCallbackJsonSchemaToTs } from '@fastify/type-provider-json-schema-to-ts'
import type { FastifyRequest } from 'fastify'
import type { JSONSchema } from 'json-schema-to-ts'
import { authorize } from '../../core/authorization.ts'
import { startIteration } from '../../core/start-iteration.ts'
import { problems } from '../../platform/http/problem.ts'
import { filterFields, type TaskFilterFields } from './list-schema.ts'
import type { TaskPresenter } from './task.ts'
import { type FileFormat, fileFormats, taskWriters } from './task-file.ts'
import { taskExample } from './task-schemas.ts'
import type { TaskService } from './task-service.ts'

const contentTypes: Record<FileFormat, string> = {
  jsonl: 'application/x-ndjson; charset=utf-8',
  csv: 'text/csv; charset=utf-8; header=present',
}

const ExportQuery = {
  type: 'object',
  properties: {
    format: { type: 'string', enum: fileFormats, description: 'jsonl, unless Accept asks for text/csv' },
    ...filterFields,
  },
  additionalProperties: false,
} as const satisfies JSONSchema

type ExportRequest = FastifyRequest<{ Querystring: TaskFilterFields & { format?: FileFormat } }>

export function taskExportRoutes(deps: {
  tasks: TaskService
  present: TaskPresenter
}): FastifyPluginCallbackJsonSchemaToTs {
  const { tasks, present } = deps

  /** Yields the file in chunks. A chunk is created when the previous one has been sent. */
  async function* written(request: ExportRequest, format: FileFormat): AsyncGenerator<string> {
    const { format: _format, ...filter } = request.query
    const { head, write } = taskWriters[format]
    let text = head
    for await (const rows of tasks.iterate(request.actor, filter)) {
      yield text + rows.map((row) => write(present(row))).join('')
      text = ''
      // An export can take long. A caller who has lost access in between must not get the rest.
      await request.confirmActor()
    }
    if (text !== '') yield text
  }

  return (app, _options, done) => {
    app.addHook('onRoute', (route) => {
      route.schema = { tags: ['tasks'], ...route.schema }
    })

    app.get(
      '/tasks/export',
      {
        // It would write the whole file, only to count it.
        exposeHeadRoute: false,
        schema: {
          summary: 'Export tasks as JSON lines or CSV',
          description:
            'All tasks that match, by id, as a stream: JSON lines with each task as it is read, or CSV by RFC 4180. A task that is there all the while is there once, as it was when its turn came.',
          querystring: ExportQuery,
          response: {
            200: {
              description: 'The file',
              content: {
                'application/x-ndjson': {
                  schema: { type: 'string', format: 'binary' },
                  example: taskWriters.jsonl.write(taskExample as never),
                },
                'text/csv': {
                  schema: { type: 'string' },
                  example: taskWriters.csv.head + taskWriters.csv.write(taskExample as never),
                },
              },
            },
            ...problems(422),
          },
        },
      },
      async (request, reply) => {
        const format = formatFor(request as ExportRequest)
        // Before the headers, which an error must not have.
        const content = await startIteration(written(request as ExportRequest, format))
        return reply.headers(headersOf(format)).send(Readable.from(content) as never)
      },
    )
    app.head(
      '/tasks/export',
      { schema: { hide: true, querystring: ExportQuery } },
      async (request, reply) => {
        authorize(request.actor, 'task.read')
        return reply.headers(headersOf(formatFor(request as ExportRequest))).send()
      },
    )
    done()
  }
}

function formatFor({ query, headers }: ExportRequest): FileFormat {
  return query.format ?? (headers.accept?.includes('text/csv') ? 'csv' : 'jsonl')
}

function headersOf(format: FileFormat): Record<string, string> {
  const day = new Date().toISOString().slice(0, 10)
  return {
    'content-type': contentTypes[format],
    'content-disposition': `attachment; filename="tasks-${day}.${format}"`,
    'cache-control': 'no-store',
    vary: 'accept',
  }
}
