import type {} from '@fastify/swagger'
import type { FastifyPluginCallbackJsonSchemaToTs } from '@fastify/type-provider-json-schema-to-ts'
import { create as contentDisposition } from 'content-disposition'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { DomainError } from '../../core/errors.ts'
import { matchesAny } from '../../platform/http/etag.ts'
import { problems } from '../../platform/http/problem.ts'
import type { AttachmentRow } from './attachment.ts'
import type { AttachmentFiles } from './attachment-files.ts'
import { AttachmentParams } from './attachment-schemas.ts'
import type { AttachmentService } from './attachment-service.ts'
import { parseRange } from './byte-range.ts'
import { reprDigest } from './digest.ts'

/**
 * Headers that keep an uploaded file from acting as a page of this site: browsers save it instead of showing it, do
 * not guess its type, and run nothing if they show it nevertheless.
 */
const CONTENT_POLICY = "default-src 'none';frame-ancestors 'none';sandbox"

const binary = (description: string, example: string) => ({
  ...{ type: 'string', contentMediaType: 'application/octet-stream', format: 'binary' },
  ...{ description, examples: [example] },
})
const headers = {
  type: 'object',
  properties: {
    range: { type: 'string', description: 'One range of bytes (RFC 9110); several are answered whole' },
    'if-range': { type: 'string', description: 'The range only if this is the ETag, else all of it' },
    'if-none-match': { type: 'string', description: '304 if this is the ETag' },
  },
} as const

type ContentRequest = FastifyRequest<{ Params: { id: number; aid: number } }>

export function contentRoutes(deps: {
  service: AttachmentService
  files: AttachmentFiles
}): FastifyPluginCallbackJsonSchemaToTs {
  const { service, files } = deps

  async function send(request: ContentRequest, reply: FastifyReply): Promise<FastifyReply> {
    const { actor, params, method } = request
    const attachment = await service.get(actor, params.id, params.aid)
    const { size, sha256 } = attachment
    const tag = `"${sha256}"`
    if (matchesAny(request.headers['if-none-match'], tag)) {
      return reply.code(304).headers(validators(tag)).send()
    }
    const range = method === 'GET' ? rangeOf(request, tag, size) : undefined
    // Opened before the headers are set, so that an error has none of them.
    const content = method === 'GET' ? await files.open(attachment, range) : undefined
    reply.headers({ ...validators(tag), ...describe(attachment) })
    reply.header('content-length', range ? range.end - range.start + 1 : size)
    if (range) reply.code(206).header('content-range', `bytes ${range.start}-${range.end}/${size}`)
    return reply.send(content)
  }

  return (app, _options, done) => {
    const params = AttachmentParams
    app.get(
      '/tasks/:id/attachments/:aid',
      {
        // Fastify's HEAD would read the whole file, only to count its bytes.
        exposeHeadRoute: false,
        schema: {
          summary: 'Download an attachment',
          params,
          headers,
          produces: ['application/octet-stream'],
          response: {
            200: binary('The content of the file', 'All of the file'),
            206: binary('The requested range of the content', 'All'),
            304: { type: 'null', description: 'Not modified' },
            ...problems(404, 416, 422),
          },
        },
      },
      (request, reply) => send(request, reply as never) as never,
    )
    app.head('/tasks/:id/attachments/:aid', { schema: { hide: true, params } }, (request, reply) =>
      send(request, reply),
    )
    done()
  }
}

function rangeOf({ headers }: ContentRequest, tag: string, size: number) {
  const condition = headers['if-range']
  if (condition !== undefined && condition !== tag) return undefined
  const range = parseRange(headers.range, size)
  if (range !== 'unsatisfiable') return range
  throw new DomainError('range-not-satisfiable', `The range is outside the file, which has ${size} bytes.`, {
    headers: { 'content-range': `bytes */${size}`, 'accept-ranges': 'bytes' },
  })
}

/** Caches may reuse the content after revalidating it, which checks access again. */
function validators(tag: string): Record<string, string> {
  return { etag: tag, 'cache-control': 'private, no-cache' }
}

function describe({ name, content_type, sha256 }: AttachmentRow): Record<string, string> {
  return {
    'content-type': content_type,
    'content-disposition': contentDisposition(name),
    'content-security-policy': CONTENT_POLICY,
    'x-content-type-options': 'nosniff',
    'accept-ranges': 'bytes',
    'repr-digest': reprDigest(sha256),
  }
}
