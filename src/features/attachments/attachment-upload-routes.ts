import type {} from '@fastify/swagger'
import type { FastifyPluginCallbackJsonSchemaToTs } from '@fastify/type-provider-json-schema-to-ts'
import { DomainError } from '../../core/errors.ts'
import { idempotentHeaders } from '../../platform/http/idempotent-writer.ts'
import { problems } from '../../platform/http/problem.ts'
import { presentAttachment } from './attachment.ts'
import { AttachmentSchema, TaskParams, UploadSchema } from './attachment-schemas.ts'
import type { Attachments } from './attachments.ts'

const headers = {
  type: 'object',
  properties: {
    ...idempotentHeaders.headers.properties,
    'content-digest': {
      type: 'string',
      description: 'Digest of the whole body (RFC 9530), such as `sha-256=:…:`; 400 if the body is another',
    },
  },
} as const

/** Upload route, in its own scope because it accepts forms only. */
export function uploadRoutes(attachments: Attachments): FastifyPluginCallbackJsonSchemaToTs {
  const { service, write, files } = attachments
  return (app, _options, done) => {
    app.removeAllContentTypeParsers()
    // The handler reads the file; the schema only checks that there is one.
    app.addContentTypeParser('multipart/form-data', (_request, _payload, done) => done(null, { file: '' }))
    app.addContentTypeParser('*', (_request, _payload, done) =>
      done(new DomainError('unsupported-media-type', 'The body must be multipart/form-data.')),
    )

    app.post(
      '/tasks/:id/attachments',
      {
        schema: {
          summary: 'Attach a file to a task',
          description:
            'Send a form with the single field `file`. No event is published, because the task itself does not change.',
          consumes: ['multipart/form-data'],
          params: TaskParams,
          headers,
          body: UploadSchema,
          response: { 201: AttachmentSchema, ...problems(400, 404, 409, 413, 415, 422, 507) },
        },
      },
      async (request, reply) => {
        const { id: taskId } = request.params
        await service.mayAdd(request.actor, taskId)
        await using upload = await attachments.receive(request.raw)
        await request.confirmActor()
        await using stored = await files.store(taskId, upload)
        const { name, file } = upload
        // An Idempotency-Key stands for this name and content.
        request.body = { name, sha256: file.sha256.toString('hex') } as never
        return await write(request, reply, async (service) => {
          const row = await service.add(request, taskId, stored)
          const headers = { location: `/tasks/${taskId}/attachments/${row.id}` }
          return { status: 201, headers, body: presentAttachment(row) }
        })
      },
    )
    done()
  }
}
