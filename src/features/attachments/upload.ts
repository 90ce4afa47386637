import type { IncomingMessage } from 'node:http'
import { type ReceivedFile, receive, tooLarge } from '../../platform/blob-storage/index.ts'
import { promisedDigest } from './digest.ts'
import { readFormFile } from './form-file.ts'

/** What a form has around its file: boundaries, headers of the part, the name. */
const FORM_BYTES = 64 * 1024

/** A file that a client sent completely; disposing it removes what is left of it in the folder. */
export interface Upload extends AsyncDisposable {
  name: string
  file: ReceivedFile
}

/**
 * Reads the one file of a multipart form into a file of `folder`. Throws `too-large` beyond `maxBytes`, at once
 * where the request says how long it is; `insufficient-storage`, and what `takeFile` throws.
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
