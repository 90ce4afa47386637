import type {} from '@fastify/swagger'
import type { FastifyPluginCallbackJsonSchemaToTs } from '@fastify/type-provider-json-schema-to-ts'
import { idempotentHeaders } from '../../platform/http/idempotent-writer.ts'
import { problems } from '../../platform/http/problem.ts'
import { presentAttachment } from './attachment.ts'
import { contentRoutes } from './attachment-content-routes.ts'
import { AttachmentListSchema, AttachmentParams, TaskParams } from './attachment-schemas.ts'
import { uploadRoutes } from './attachment-upload-routes.ts'
import type { Attachments } from './attachments.ts'

export function attachmentRoutes(attachments: Attachments): FastifyPluginCallbackJsonSchemaToTs {
  const { service, write, files } = attachments
  return (app, _options, done) => {
    app.addHook('onRoute', (route) => {
      route.schema = { tags: ['attachments'], ...route.schema }
    })
    app.register(uploadRoutes(attachments))
    app.register(contentRoutes({ service, files }))

    app.get(
      '/tasks/:id/attachments',
      {
        schema: {
          summary: 'List the attachments of a task',
          description: 'Oldest first; a task has at most 100.',
          params: TaskParams,
          response: { 200: AttachmentListSchema, ...problems(404, 422) },
        },
      },
      async ({ actor, params }) => (await service.list(actor, params.id)).map(presentAttachment),
    )

    app.delete(
      '/tasks/:id/attachments/:aid',
      {
        schema: {
          summary: 'Delete an attachment',
          description: 'The attachment is deleted permanently; attachments have no trash.',
          params: AttachmentParams,
          ...idempotentHeaders,
          response: {
            204: { type: 'null', description: 'The attachment is deleted' },
            ...problems(404, 409, 422),
          },
        },
      },
      (request, reply) =>
        write(request, reply, async (service) => {
          const { id: taskId, aid: attachmentId } = request.params
          await service.remove(request, taskId, attachmentId)
          return { status: 204, headers: {}, body: null }
        }),
    )
    done()
  }
}
