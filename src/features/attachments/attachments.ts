import type { IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { createDiskStorage, createS3Storage, type FileStorage } from '../../platform/blob-storage/index.ts'
import type { Config } from '../../platform/config/config.ts'
import type { Database } from '../../platform/database/database.ts'
import { createWriter, type Write } from '../../platform/http/idempotent-writer.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import { type AttachmentFiles, createAttachmentFiles } from './attachment-files.ts'
import { type AttachmentService, createAttachmentService } from './attachment-service.ts'
import { readUpload, type Upload } from './upload.ts'

/** The parts of attachments that every role needs. */
export interface Attachments extends AsyncDisposable {
  service: AttachmentService
  write: Write<AttachmentService>
  files: AttachmentFiles
  /** Reads an incoming file onto the disk of this machine; see `readUpload`. */
  receive(request: IncomingMessage): Promise<Upload>
  /** Readiness checks of the storage; none if it is the disk. */
  checks: Record<string, (milliseconds: number) => Promise<void>>
}

export function createAttachments(deps: { db: Database; config: Config; log: Logger }): Attachments {
  const { db, config, log } = deps
  const folder = join(rootOf(config), 'incoming')
  const storage = attachmentStorage(config, log)
  const files = createAttachmentFiles({ db, storage, folder, log })
  const serviceDeps = { quotaBytes: config.ATTACHMENT_QUOTA_BYTES, log, removeBytes: files.remove }
  const service = createAttachmentService(db, serviceDeps)
  const write = createWriter({
    db,
    direct: service,
    on: (transaction) => createAttachmentService(transaction, serviceDeps),
    actions: ['task.change'],
  })
  let swept: Promise<unknown> | undefined
  return {
    service,
    write,
    files,
    async receive(request) {
      // Another machine may run the purges, so each one cleans its own folder.
      swept ??= files.sweep()
      await swept
      return readUpload(request, folder, config.ATTACHMENT_MAX_BYTES)
    },
    checks: config.S3_BUCKET ? { storage: (milliseconds) => storage.check(milliseconds) } : {},
    [Symbol.asyncDispose]: () => storage[Symbol.asyncDispose](),
  }
}

/** Opens the storage of attachments. */
export function attachmentStorage(config: Config, log: Logger): FileStorage {
  const {
    S3_BUCKET: bucket,
    S3_REGION: region,
    S3_ENDPOINT: endpoint,
    S3_ACCESS_KEY_ID: accessKeyId,
    S3_SECRET_ACCESS_KEY: secretAccessKey,
  } = config
  if (!bucket) return createDiskStorage(rootOf(config))
  const credentials = accessKeyId && secretAccessKey ? { accessKeyId, secretAccessKey } : undefined
  return createS3Storage({ bucket, region, endpoint, credentials }, log)
}

function rootOf({ DATA_DIR }: Config): string {
  return join(DATA_DIR, 'attachments')
}
