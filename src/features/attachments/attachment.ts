import { validationError } from '../../core/errors.ts'

/** A row of `attachments` that is attached to a task; `sha256` is hexadecimal. */
export interface AttachmentRow {
  id: number
  task_id: number
  name: string
  content_type: string
  /** in bytes */
  size: number
  sha256: string
  /** ISO 8601, UTC, microseconds */
  created_at: string
  /** Key of the bytes in the storage; not shown to clients. */
  storage_key: string
}

/** An attachment as clients see it. */
export type Attachment = Omit<AttachmentRow, 'storage_key'>

export function presentAttachment({ storage_key, ...attachment }: AttachmentRow): Attachment {
  return attachment
}

/** Name of the form field with the file. */
export const FILE_FIELD = 'file'

/** Maximum length of a file name in most file systems, in bytes. */
const MAX_NAME_BYTES = 255
/** Control characters (C0, DEL, C1), Unicode line breaks, and marks that reverse text, so that `gpj.exe` looks like `jpg`. */
const FORBIDDEN = /[\p{Cc}\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u

/**
 * Returns the name that a client gave a file, without folders (RFC 7578, section 4.2). The name is data and never
 * part of a path. Throws `validation` if it is not a valid name.
 */
export function fileName(given: string | undefined): string {
  // Browsers encode a quotation mark this way (WHATWG HTML, "multipart/form-data encoding algorithm").
  const path = (given ?? '').replaceAll('%22', '"')
  const name = path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1).trim()
  if (name === '' || name === '.' || name === '..') throw wrong('must have a file name')
  if (FORBIDDEN.test(name) || !name.isWellFormed()) {
    throw wrong('must have a file name without control characters')
  }
  if (Buffer.byteLength(name) > MAX_NAME_BYTES) {
    throw wrong(`must have a file name of at most ${MAX_NAME_BYTES} bytes`)
  }
  return name
}

function wrong(message: string): Error {
  return validationError([{ path: `body.${FILE_FIELD}`, message }])
}
