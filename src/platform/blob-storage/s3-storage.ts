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
  /** Undefined: that of AWS. */
  endpoint?: string | undefined
  /** Undefined: what the SDK finds, such as the role of the machine. */
  credentials?: { accessKeyId: string; secretAccessKey: string } | undefined
}

const CONNECT_MS = 3_000
/** Until an answer begins; an upload has a second more for each megabyte. */
const ANSWER_MS = 10_000
const ANSWER_MS_PER_BYTE = 1 / 1_000
/** So long a client may stall as well. */
const SILENCE_MS = 120_000
/** Each download holds one while it lasts. */
const CONNECTIONS = 256
const ATTEMPTS = 3
const BACKOFF_MS = 100
const HEAD_REASONS: Record<number, string> = {
  301: 'the bucket is in another region',
  403: 'the key is refused, or may not use the bucket',
  404: 'there is no such bucket',
}

/**
 * Keeps files as objects of a bucket. One WARN tells that it cannot be reached, one INFO that it can again.
 */
export function createS3Storage(options: S3Options, log: Logger): FileStorage {
  const { bucket: Bucket } = options
  let opened: ReturnType<typeof open> | undefined
  // 20 MB that are paid when they are needed first.
  const sdk = () => {
    opened ??= open(options)
    return opened
  }

  let isAway = false
  async function reach<T>(work: () => Promise<T>): Promise<T> {
    try {
      const result = await work()
      if (isAway) log.info('the storage of attachments is back')
      isAway = false
      return result
    } catch (error) {
      if (error instanceof Error && error.name === 'NoSuchKey') throw new MissingFile(error.message)
      if (!isAway) log.warn(`the storage of attachments is away: ${errorText(error)}`)
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
          // The SDK does not repeat what it sends from a stream; this one can be read again.
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
    // The checksum that we send is part of the signature; more of them not every server understands.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // It would write to the console what we log.
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

/** Puts the checksum of the bytes into the signed request, so that S3 refuses what is not the same bytes. */
function signedAs(sha256: Buffer) {
  return <Args extends { request?: unknown }, Result>(next: (args: Args) => Result) =>
    (args: Args): Result => {
      const { headers } = args.request as { headers: Record<string, string> }
      headers['x-amz-content-sha256'] = sha256.toString('hex')
      return next(args)
    }
}

/** Whether it may well be over a moment later: nobody answered, or S3 asks for patience. */
function isPassing(error: unknown): boolean {
  const status = statusOf(error)
  return status === undefined || status === 429 || status >= 500
}

/** The answer to a HEAD has no body that would say it. */
function headReason(error: unknown): unknown {
  const status = statusOf(error)
  const said = status !== undefined && HEAD_REASONS[status]
  return said ? new Error(`status ${status}: ${said}`, { cause: error }) : error
}

function statusOf(error: unknown): number | undefined {
  return (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode
}
