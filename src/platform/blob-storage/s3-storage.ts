import { createReadStream } from 'node:fs'
import type { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import type { S3Client } from '@aws-sdk/client-s3'
import { DomainError, errorText } from '../../core/errors.ts'
import type { Logger } from '../logging/logger.ts'
import { expectBytes, type FileStorage, MissingFile } from './storage.ts'

export interface S3Options {
  bucket: string
  region: string
  /** URL of the server; undefined: AWS. */
  endpoint?: string | undefined
  /** Access key; undefined: the SDK looks for credentials, such as the role of the machine. */
  credentials?: { accessKeyId: string; secretAccessKey: string } | undefined
}

const CONNECT_MS = 3_000
/** Timeout until a response begins. An upload has one more second for each megabyte. */
const ANSWER_MS = 10_000
const ANSWER_MS_PER_BYTE = 1 / 1_000
/** Timeout of a stalled transfer; a client of this server has the same. */
const SILENCE_MS = 120_000
/** Maximum number of connections. Each download uses one. */
const CONNECTIONS = 256
const ATTEMPTS = 3
const BACKOFF_MS = 100
const HEAD_REASONS: Record<number, string> = {
  301: 'the bucket is in another region',
  403: 'the key is refused, or may not use the bucket',
  404: 'there is no such bucket',
}

/**
 * Stores files as objects of a bucket. Logs one WARN when the bucket becomes unavailable and one INFO when it is
 * available again.
 */
export function createS3Storage(options: S3Options, log: Logger): FileStorage {
  const { bucket: Bucket } = options
  let opened: ReturnType<typeof open> | undefined
  // Loaded with the first use: it takes 20 MB.
  const sdk = () => {
    opened ??= open(options)
    return opened
  }

  let isAway = false
  async function reach<T>(work: () => Promise<T>): Promise<T> {
    try {
      const result = await work()
      if (isAway) log.info('the storage of attachments is available again')
      isAway = false
      return result
    } catch (error) {
      if (error instanceof Error && error.name === 'NoSuchKey') throw new MissingFile(error.message)
      if (!isAway) log.warn(`the storage of attachments is unavailable: ${errorText(error)}`)
      isAway = true
      throw new DomainError(
        'unavailable',
        'The storage of attachments is not available; try again shortly.',
        {
          headers: { 'retry-after': '5' },
          cause: error,
        },
      )
    }
  }

  return {
    keep: (Key, { path, size, sha256 }) =>
      reach(async () => {
        const { client, PutObjectCommand } = await sdk()
        const requestTimeout = ANSWER_MS + size * ANSWER_MS_PER_BYTE
        for (let attempt = 1; ; attempt++) {
          // The SDK does not retry uploads from a stream, but this file can be read again.
          const Body = createReadStream(path)
          const command = new PutObjectCommand({ Bucket, Key, Body, ContentLength: size })
          command.middlewareStack.add(signedAs(sha256), { step: 'build' })
          try {
            await client.send(command, { requestTimeout })
            return
          } catch (error) {
            if (attempt === ATTEMPTS || !isPassing(error)) throw error
          } finally {
            Body.destroy()
          }
          await delay(BACKOFF_MS * 2 ** attempt * Math.random())
        }
      }),
    async read(Key, size, range) {
      const { ContentLength, Body } = await reach(async () => {
        const { client, GetObjectCommand } = await sdk()
        const Range = range && `bytes=${range.start}-${range.end}`
        return await client.send(new GetObjectCommand({ Bucket, Key, Range }))
      })
      const stream = Body as Readable
      try {
        expectBytes(Key, ContentLength, range ? range.end - range.start + 1 : size)
      } catch (error) {
        stream.on('error', () => {}).destroy()
        throw error
      }
      return stream
    },
    remove: (Key) =>
      reach(async () => {
        const { client, DeleteObjectCommand } = await sdk()
        await client.send(new DeleteObjectCommand({ Bucket, Key }))
      }),
    check: (milliseconds) =>
      reach(async () => {
        const { client, HeadBucketCommand } = await sdk()
        const abortSignal = AbortSignal.timeout(milliseconds)
        await client.send(new HeadBucketCommand({ Bucket }), { abortSignal }).catch((error) => {
          throw headReason(error)
        })
      }),
    async [Symbol.asyncDispose]() {
      const sdk = await opened?.catch(() => undefined)
      sdk?.client.destroy()
    },
  }
}

async function open({ region, endpoint, credentials }: S3Options) {
  const { S3Client, ...commands } = await import('@aws-sdk/client-s3')
  const client: S3Client = new S3Client({
    region,
    ...(endpoint && { endpoint, forcePathStyle: true }),
    ...(credentials && { credentials }),
    maxAttempts: ATTEMPTS,
    // We send one checksum as part of the signature. Some servers do not support the SDK's others.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // The SDK would write warnings to the console.
    logger: { debug: ignore, info: ignore, warn: ignore, error: ignore },
    requestHandler: {
      connectionTimeout: CONNECT_MS,
      requestTimeout: ANSWER_MS,
      throwOnRequestTimeout: true,
      socketTimeout: SILENCE_MS,
      httpAgent: { keepAlive: true, maxSockets: CONNECTIONS },
      httpsAgent: { keepAlive: true, maxSockets: CONNECTIONS },
    },
  })
  return { client, ...commands }
}

function ignore(): void {}

/** Adds the checksum to the signed request, so that S3 rejects bytes that differ. */
function signedAs(sha256: Buffer) {
  return <Args extends { request?: unknown }, Result>(next: (args: Args) => Result) =>
    (args: Args): Result => {
      const { headers } = args.request as { headers: Record<string, string> }
      headers['x-amz-content-sha256'] = sha256.toString('hex')
      return next(args)
    }
}

/** Returns true if a retry may succeed: there was no response, or S3 asked to retry later. */
function isPassing(error: unknown): boolean {
  const status = statusOf(error)
  return status === undefined || status === 429 || status >= 500
}

/** Returns true if the object does not exist. The response to HEAD has no body with an error code. */
function headReason(error: unknown): unknown {
  const status = statusOf(error)
  const said = status !== undefined && HEAD_REASONS[status]
  return said ? new Error(`status ${status}: ${said}`, { cause: error }) : error
}

function statusOf(error: unknown): number | undefined {
  return (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode
}
