import type { JSONSchema } from 'json-schema-to-ts'

const id = { type: 'integer', minimum: 1, maximum: 2_147_483_647, examples: [1] } as const

const attachmentExample = {
  id: 1,
  task_id: 1,
  name: 'report.pdf',
  content_type: 'application/pdf',
  size: 18_230,
  sha256: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
  created_at: '2025-12-15T12:00:31.168401Z',
}

export const AttachmentSchema: JSONSchema = {
  type: 'object',
  required: ['id', 'task_id', 'name', 'content_type', 'size', 'sha256', 'created_at'],
  properties: {
    id: { type: 'integer', minimum: 1 },
    task_id: { type: 'integer', minimum: 1 },
    name: { type: 'string', description: 'File name that the client sent, without folders' },
    content_type: {
      type: 'string',
      description: 'Media type detected from the content; the type that the client sent is ignored',
    },
    size: { type: 'integer', minimum: 0, description: 'Size in bytes' },
    sha256: { type: 'string', description: 'SHA-256 of the content, hexadecimal; also the ETag' },
    created_at: { type: 'string', format: 'date-time' },
  },
  title: 'Attachment',
  examples: [attachmentExample],
}

export const AttachmentListSchema: JSONSchema = {
  type: 'array',
  items: AttachmentSchema,
  examples: [[attachmentExample]],
}

export const TaskParams = {
  type: 'object',
  required: ['id'],
  properties: { id },
  additionalProperties: false,
} as const satisfies JSONSchema

export const AttachmentParams = {
  type: 'object',
  required: ['id', 'aid'],
  properties: { id, aid: id },
  additionalProperties: false,
} as const satisfies JSONSchema

export const UploadSchema = {
  type: 'object',
  required: ['file'],
  // OpenAPI 3.1 describes a file this way, and API pages show a file input for it.
  properties: { file: { type: 'string', contentMediaType: 'application/octet-stream', format: 'binary' } },
  additionalProperties: false,
  examples: [{ file: 'the content of the file' }],
} as const satisfies JSONSchema
