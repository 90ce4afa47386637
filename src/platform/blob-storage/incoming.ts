import { createHash, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { mkdir, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { DomainError } from '../../core/errors.ts'
import { buffersPassed } from '../memory/garbage.ts'
import { fullDisk } from './full-disk.ts'

/** A completely received file in a folder of this machine. Disposing it removes it. */
export interface ReceivedFile extends AsyncDisposable {
  path: string
  /** in bytes */
  size: number
  sha256: Buffer
  /** The first bytes of the file, at most HEAD_BYTES. */
  head: Buffer
}

/** Number of bytes that is enough to detect the type of a file. */
const HEAD_BYTES = 4096
/** Maximum size of one write. Chunks that arrive while the disk is busy are written in one call. */
const BUFFERED_BYTES = 1024 * 1024

/**
 * Writes a stream into a file in `folder`, chunk by chunk, so a large file takes no more memory than a small one.
 * Throws `too-large` beyond `maxBytes`. No file remains after an error.
 */
export async function receive(
  folder: string,
  source: AsyncIterable<Buffer>,
  maxBytes: number,
): Promise<ReceivedFile> {
  const path = join(folder, randomUUID())
  const hash = createHash('sha256')
  let size = 0
  let head = Buffer.alloc(0)
  async function* watched(source: AsyncIterable<Buffer>) {
    for await (const chunk of source) {
      size += chunk.length
      if (size > maxBytes) throw tooLarge(maxBytes)
      if (head.length < HEAD_BYTES) head = Buffer.concat([head, chunk.subarray(0, HEAD_BYTES - head.length)])
      hash.update(chunk)
      const { length } = chunk
      yield chunk
      buffersPassed(length)
    }
  }
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const file = createWriteStream(path, { flags: 'wx', mode: 0o600, highWaterMark: BUFFERED_BYTES })
    // Opened first, so that the file exists and can be removed after an error.
    await once(file, 'open')
    await pipeline(watched(source), file)
  } catch (error) {
    await rm(path, { force: true })
    throw fullDisk(error)
  }
  const remove = () => rm(path, { force: true })
  return { path, size, sha256: hash.digest(), head, [Symbol.asyncDispose]: remove }
}

/** Removes old files that killed processes left in `folder`. Returns their number. */
export async function sweepIncoming(folder: string, olderThanMs: number): Promise<number> {
  const names = await readdir(folder).catch(nothingWhenAbsent)
  let swept = 0
  for (const name of names ?? []) {
    const path = join(folder, name)
    const found = await stat(path).catch(nothingWhenAbsent)
    if (!found || Date.now() - found.mtimeMs < olderThanMs) continue
    await rm(path, { force: true })
    swept++
  }
  return swept
}

function nothingWhenAbsent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
}

export function tooLarge(maxBytes: number): DomainError {
  return new DomainError('too-large', `The file is larger than the maximum of ${maxBytes} bytes.`)
}
