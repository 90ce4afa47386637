import type { IncomingMessage } from 'node:http'
import { type ReceivedFile, receive, tooLarge } from '../../platform/blob-storage/index.ts'
import { promisedDigest } from './digest.ts'
import { readFormFile } from './form-file.ts'

/** Allowance for the form around the file, in bytes: boundaries, part headers, the name. */
const FORM_BYTES = 64 * 1024

/** A completely received file. Disposing it removes it from the folder. */
export interface Upload extends AsyncDisposable {
  name: string
  file: ReceivedFile
}

/**
 * Reads the single file of a multipart form into a file in `folder`. Throws `too-large` beyond `maxBytes`, at once if
 * Content-Length is too large; `insufficient-storage`; and the errors of `takeFile`.
 */
export async function readUpload(
  request: IncomingMessage,
  folder: string,
  maxBytes: number,
): Promise<Upload> {
  const digest = promisedDigest(request.headers)
  if (Number(request.headers['content-length']) > maxBytes + FORM_BYTES) throw tooLarge(maxBytes)
  await using stack = new AsyncDisposableStack()
  const { name, taken: file } = await readFormFile(
    request,
    (stream) => receive(folder, stream, maxBytes),
    digest?.update,
  )
  stack.use(file)
  digest?.verify()
  const owned = stack.move()
  return { name, file, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}
