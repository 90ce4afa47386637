import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import { DomainError, validationError } from '../../core/errors.ts'
import { FILE_FIELD, fileName } from './attachment.ts'

/** Maximum number of parts of a form. A form with more is rejected early. */
const LIMITS = { files: 2, fields: 1, parts: 3, fieldSize: 1024, headerPairs: 20, headerSize: 8 * 1024 }

/**
 * Passes the single file of a multipart form (RFC 7578) to `consume` as it arrives. `see` gets the raw body.
 * Throws `validation` if the form is not a single file, `bad-request` if it is malformed or incomplete, and the errors
 * of `consume`, whose result is then disposed. The rest of such a body is read and discarded, so that the client
 * reads the response.
 */
export async function readFormFile<T extends AsyncDisposable>(
  request: IncomingMessage,
  consume: (file: AsyncIterable<Buffer>) => Promise<T>,
  see?: (chunk: Buffer) => void,
): Promise<{ name: string; taken: T }> {
  const parser = await newParser(request)
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const broken = (error: Error) => reject(brokenForm(error))
  let name = ''
  let file: Readable | undefined
  let taken: Promise<T> | undefined
  parser.on('file', (field, stream, given) => {
    stream.on('error', broken)
    try {
      if (field !== FILE_FIELD) throw unknownField(field)
      if (taken) throw wrongFile('must be given once')
      name = fileName(given)
      file = stream
      // If `consume` stopped reading, its own error is reported instead.
      taken = consume(stream.iterator({ destroyOnReturn: false }))
      taken.catch(reject)
    } catch (error) {
      stream.resume()
      reject(error)
    }
  })
  parser.on('field', (field) => reject(unknownField(field)))
  for (const limit of ['filesLimit', 'fieldsLimit', 'partsLimit'] as const) {
    parser.on(limit, () => reject(wrongFile('must be the only part of the form')))
  }
  parser.on('finish', () => {
    if (!taken) return reject(wrongFile('is required'))
    request.unpipe(parser).resume()
    taken.then(() => (see && !request.readableEnded ? request.once('end', resolve) : resolve()), reject)
  })
  parser.on('error', broken)
  const onClose = () => {
    if (!request.readableEnded) broken(new Error('the connection was closed'))
  }
  request.on('error', broken).on('close', onClose)
  if (request.destroyed) onClose()
  if (see) request.on('data', see)
  request.pipe(parser)
  try {
    await promise
    return { name, taken: await taken! }
  } catch (error) {
    request.unpipe(parser)
    file?.destroy(error as Error)
    await taken?.then((made) => made[Symbol.asyncDispose]()).catch(() => {})
    throw error
  } finally {
    request.resume()
  }
}

async function newParser({ headers }: IncomingMessage) {
  // Loaded with the first upload: it takes 6 MB.
  const { Busboy } = await import('@fastify/busboy')
  try {
    const type = { 'content-type': headers['content-type'] ?? '' }
    return new Busboy({ headers: { ...headers, ...type }, limits: LIMITS, preservePath: true })
  } catch (error) {
    throw brokenForm(error)
  }
}

function brokenForm(cause: unknown): DomainError {
  return new DomainError('bad-request', 'The body is not a complete multipart form.', { cause })
}

function unknownField(field: string): DomainError {
  return validationError([{ path: `body.${field}`.slice(0, 200), message: 'is not a known field' }])
}

function wrongFile(message: string): DomainError {
  return validationError([{ path: `body.${FILE_FIELD}`, message }])
}
