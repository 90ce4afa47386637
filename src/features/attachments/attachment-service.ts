import { type Actor, type Caller, caller } from '../../core/actor.ts'
import { type Action, authorize } from '../../core/authorization.ts'
import { DomainError } from '../../core/errors.ts'
import { type Database, inTransactionOf, type Transaction } from '../../platform/database/database.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import { findTask, lockTask } from '../tasks/index.ts'
import type { AttachmentRow } from './attachment.ts'
import {
  attachUpload,
  countAttachments,
  detachAttachment,
  findAttachment,
  listAttachments,
  lockUsage,
  type StoredBytes,
} from './attachment-store.ts'

/** Maximum number of attachments of a task, so that their list needs no pages. */
export const MAX_PER_TASK = 100

/** The rules of attachments. Callers who may read or change a task may do the same with its attachments. */
export interface AttachmentService {
  /** Throws unless the actor may attach something to the task. */
  mayAdd(actor: Actor, taskId: number): Promise<void>
  list(actor: Actor, taskId: number): Promise<AttachmentRow[]>
  get(actor: Actor, taskId: number, id: number): Promise<AttachmentRow>
  /** Attaches a stored file, if the task still exists and the quota allows it; keeps them after the commit. */
  add(by: Caller, taskId: number, stored: { id: number; size: number; keep(): void }): Promise<AttachmentRow>
  /** Removes an attachment from its task, and its bytes after the commit. */
  remove(by: Caller, taskId: number, id: number): Promise<void>
}

export interface AttachmentServiceDeps {
  /** Maximum total size of the attachments of one user's tasks, in bytes; 0: no limit. */
  quotaBytes: number
  log: Logger
  /** Removes the bytes of a deleted attachment; does not reject. */
  removeBytes(stored: StoredBytes): Promise<unknown>
}

/** Creates the service on a database or on a transaction. Effects follow the commit of either. */
export function createAttachmentService(
  db: Database | Transaction,
  { quotaBytes, log, removeBytes }: AttachmentServiceDeps,
): AttachmentService {
  async function allow(actor: Actor, action: Action, taskId: number): Promise<void> {
    authorize(actor, action)
    authorize(actor, action, found(await findTask(db, taskId), `Task ${taskId} does not exist.`))
  }

  return {
    mayAdd: (actor, taskId) => allow(actor, 'task.change', taskId),
    async list(actor, taskId) {
      await allow(actor, 'task.read', taskId)
      return listAttachments(db, taskId)
    },
    async get(actor, taskId, id) {
      await allow(actor, 'task.read', taskId)
      return found(await findAttachment(db, taskId, id), absent(taskId, id))
    },
    async add(by, taskId, stored) {
      const { actor } = by
      const { id, size } = stored
      authorize(actor, 'task.change')
      return inTransactionOf(db, async (transaction) => {
        const task = found(await lockTask(transaction, taskId), `Task ${taskId} does not exist.`)
        authorize(actor, 'task.change', task)
        if ((await countAttachments(transaction, taskId)) >= MAX_PER_TASK) {
          throw new DomainError('conflict', `A task has at most ${MAX_PER_TASK} attachments.`)
        }
        if (quotaBytes > 0 && task.user_id !== null) {
          expectRoom(quotaBytes, await lockUsage(transaction, task.user_id), size)
        }
        const row = await attachUpload(transaction, id, task.user_id)
        const attached = found(row, 'The upload took too long and was given up; send it again.')
        transaction.afterCommit(() => stored.keep())
        const line = { ...caller(by), taskId, attachmentId: attached.id, size: attached.size }
        transaction.afterCommit(() => log.info(line, 'attachment created'))
        return attached
      })
    },
    async remove(by, taskId, id) {
      await allow(by.actor, 'task.change', taskId)
      const stored = found(await detachAttachment(db, taskId, id), absent(taskId, id))
      db.afterCommit(() => log.info({ ...caller(by), taskId, attachmentId: id }, 'attachment deleted'))
      db.afterCommit(() => removeBytes(stored))
    },
  }
}

function expectRoom(quota: number, used: number, size: number): void {
  if (used + size <= quota) return
  const left = Math.max(0, quota - used)
  throw new DomainError(
    'conflict',
    `The attachments of one user may have ${quota} bytes together; ${left} are left, and this file has ${size}.`,
  )
}

function absent(taskId: number, id: number): string {
  return `Task ${taskId} has no attachment ${id}.`
}

function found<T>(value: T | undefined, detail: string): T {
  if (value === undefined) throw new DomainError('not-found', detail)
  return value
}
