import type { Readable } from 'node:stream'
import { DomainError, errorText } from '../../core/errors.ts'
import {
  type ByteRange,
  type FileStorage,
  MissingFile,
  sweepIncoming,
} from '../../platform/blob-storage/index.ts'
import type { Database } from '../../platform/database/database.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import type { AttachmentRow } from './attachment.ts'
import {
  findAttachment,
  forgetBytes,
  giveUp,
  giveUpOld,
  insertPending,
  listUnwanted,
  type StoredBytes,
} from './attachment-store.ts'
import { contentTypeOf } from './content-type.ts'
import type { Upload } from './upload.ts'

/** Maximum duration of an upload. Older files were left by a process that died. */
const GIVEN_UP_SECONDS = 3600
const REMOVED_AT_ONCE = 8

/** An upload whose bytes are stored; disposing it removes them unless it was attached. */
export interface StoredUpload extends AsyncDisposable {
  id: number
  size: number
  /** Keeps the bytes. Call it after the commit. */
  keep(): void
}

/** The bytes of attachments. A row exists before the bytes are stored and until they are removed. */
export interface AttachmentFiles {
  store(taskId: number, upload: Upload): Promise<StoredUpload>
  open(attachment: AttachmentRow, range?: ByteRange): Promise<Readable>
  /** Removes the bytes of a deleted attachment. `purge` removes those that cannot be removed now. */
  remove(stored: StoredBytes): Promise<void>
  /** Removes incomplete uploads of killed processes from this machine. */
  sweep(): Promise<void>
  /** Removes the bytes of up to `limit` deleted attachments and abandoned uploads. Returns their number. */
  purge(limit: number): Promise<number>
}

export function createAttachmentFiles(deps: {
  db: Database
  storage: FileStorage
  /** Folder of incoming uploads. */
  folder: string
  log: Logger
}): AttachmentFiles {
  const { db, storage, folder, log } = deps

  /** Removes bytes and row. Returns the error if that fails. */
  async function removeAll(unwanted: StoredBytes[]): Promise<unknown[]> {
    const results = await Promise.allSettled(unwanted.map(({ storage_key }) => storage.remove(storage_key)))
    const removed = unwanted.filter((_, i) => results[i]!.status === 'fulfilled').map(({ id }) => id)
    if (removed.length > 0) await forgetBytes(db, removed)
    return results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []))
  }

  async function remove(stored: StoredBytes): Promise<void> {
    const [failure] = await removeAll([stored]).catch((error) => [error])
    if (failure === undefined) return
    const { id: attachmentId } = stored
    log.debug(
      { attachmentId },
      `bytes of an attachment not removed, will be purged later: ${errorText(failure)}`,
    )
  }

  /** Decides by the row, because a commit that reported an error may have succeeded. */
  async function undo(id: number): Promise<void> {
    const given = await giveUp(db, id).catch(() => undefined)
    if (given) await remove(given)
  }

  async function sweep(): Promise<void> {
    const files = await sweepIncoming(folder, GIVEN_UP_SECONDS * 1000)
    if (files > 0) log.info({ files }, 'incomplete uploads of a crashed process removed')
  }

  return {
    remove,
    async store(taskId, { name, file }) {
      const { size, sha256 } = file
      const contentType = contentTypeOf(file.head)
      const pending = await insertPending(db, { taskId, name, contentType, size, sha256 })
      if (!pending) throw new DomainError('not-found', `Task ${taskId} does not exist.`)
      const { id } = pending
      try {
        await storage.keep(pending.storage_key, file)
      } catch (error) {
        await undo(id)
        throw error
      }
      let isKept = false
      const keep = () => {
        isKept = true
      }
      return { id, size, keep, [Symbol.asyncDispose]: async () => (isKept ? undefined : await undo(id)) }
    },
    async open(attachment, range) {
      try {
        return await storage.read(attachment.storage_key, attachment.size, range)
      } catch (error) {
        // The attachment may have just been deleted.
        const { task_id: taskId, id } = attachment
        if (error instanceof MissingFile && !(await findAttachment(db, taskId, id)))
          throw new DomainError('not-found', `Task ${taskId} has no attachment ${id}.`)
        throw error
      }
    },
    sweep,
    async purge(limit) {
      await sweep()
      await giveUpOld(db, GIVEN_UP_SECONDS)
      const failures: unknown[] = []
      let seen = 0
      for (let after = 0; seen < limit; ) {
        const unwanted = await listUnwanted(db, after, Math.min(REMOVED_AT_ONCE, limit - seen))
        if (unwanted.length === 0) break
        const failed = await removeAll(unwanted)
        failures.push(...failed)
        // One failure does not stop the others. If all fail, the storage is unavailable.
        if (failed.length === unwanted.length) break
        seen += unwanted.length
        after = unwanted.at(-1)!.id
      }
      if (failures.length > 0) throw new AggregateError(failures)
      return seen
    },
  }
}
