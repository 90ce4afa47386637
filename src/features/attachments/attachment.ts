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
  /** What the storage knows its bytes by; not for clients. */
  storage_key: string
}

/** An attachment as clients see it. */
export type Attachment = Omit<AttachmentRow, 'storage_key'>

export function presentAttachment({ storage_key, ...attachment }: AttachmentRow): Attachment {
  return attachment
}

/** The field of the form that has the file. */
export const FILE_FIELD = 'file'

/** What file systems take for a name. */
const MAX_NAME_BYTES = 255
/** Controls (C0, DEL, C1), line breaks of Unicode, and what turns the direction of text, so that `gpj.exe` ends in `jpg`. */
const FORBIDDEN = /[\p{Cc}\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u

/**
 * The name that a client gives a file, without the folders that some put before it (RFC 7578, section 4.2). It
 * is data and never part of a path. Throws `validation` where it is no name.
 */
export function fileName(given: string | undefined): string {
  // Browsers write a quotation mark so (WHATWG HTML, "multipart/form-data encoding algorithm").
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
