import type { Readable } from 'node:stream'
import type { ReceivedFile } from './incoming.ts'

/** Bytes `start` to `end` of a file, both included, counted from 0. */
export interface ByteRange {
  start: number
  end: number
}

/** Thrown if no file has the key. */
export class MissingFile extends Error {
  override readonly name = 'MissingFile'
}

/**
 * Stores files under keys, which are UUIDs. Names and types of files are stored elsewhere. Throws DomainError
 * `unavailable` if the storage cannot be reached, and `insufficient-storage` if it is full.
 */
export interface FileStorage extends AsyncDisposable {
  /** Stores a received file. When it resolves, the bytes are durable; when it throws, some may be stored. */
  keep(key: string, file: ReceivedFile): Promise<void>
  /**
   * Opens a file of `size` bytes, or a range inside it. The stream has exactly that length, or ends with an error.
   * Throws MissingFile, or an Error if the file has another size.
   */
  read(key: string, size: number, range?: ByteRange): Promise<Readable>
  /** Removes a file. Succeeds also if there is none. */
  remove(key: string): Promise<void>
  /** Resolves if the storage can be used; otherwise rejects with the reason. */
  check(milliseconds: number): Promise<void>
}

/** Throws if the stream is longer or shorter than announced: surplus bytes would be read as the next response. */
export function expectBytes(key: string, found: number | undefined, wanted: number): void {
  if (found !== wanted) throw new Error(`the file ${key} has ${found} bytes instead of ${wanted}`)
}
