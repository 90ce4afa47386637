import type { Readable } from 'node:stream'
import type { ReceivedFile } from './incoming.ts'

/** Bytes `start` to `end` of a file, both included, counted from 0. */
export interface ByteRange {
  start: number
  end: number
}

/** There is nothing by this key. */
export class MissingFile extends Error {
  override readonly name = 'MissingFile'
}

/**
 * Keeps files by keys, which are UUIDs; what they are is told by whoever has the key. Throws DomainError
 * `unavailable` when the storage cannot be reached, `insufficient-storage` when it is full.
 */
export interface FileStorage extends AsyncDisposable {
  /** Takes a received file over. When it resolves the bytes are safe; when it throws there may be some of them. */
  keep(key: string, file: ReceivedFile): Promise<void>
  /**
   * The bytes of a file that has `size` of them, or those of the range, which lies inside it: never more or fewer,
   * unless the stream ends with an error. Throws MissingFile, and an Error when the file is of another size.
   */
  read(key: string, size: number, range?: ByteRange): Promise<Readable>
  /** What is not there is removed too. */
  remove(key: string): Promise<void>
  /** Resolves while the storage can be used, else rejects with the reason. */
  check(milliseconds: number): Promise<void>
}

/** Throws unless as many bytes come as were announced: what follows them would be taken for the next answer. */
export function expectBytes(key: string, found: number | undefined, wanted: number): void {
  if (found !== wanted) throw new Error(`the file ${key} has ${found} bytes instead of ${wanted}`)
}
