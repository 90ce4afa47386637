import type { Queryable, Transaction } from '../../platform/database/database.ts'
import type { AttachmentRow } from './attachment.ts'

const COLUMNS =
  "a.id, a.task_id, a.name, a.content_type, a.size, encode(a.sha256, 'hex') AS sha256, a.created_at, a.storage_key"

export interface NewAttachment {
  taskId: number
  name: string
  contentType: string
  size: number
  sha256: Buffer
}

/** The properties of stored bytes. */
export interface StoredBytes {
  id: number
  storage_key: string
}

const FOREIGN_KEY_VIOLATION = '23503'

/** Inserts a row before bytes are stored. It is not visible yet. Returns undefined if the task does not exist. */
export async function insertPending(db: Queryable, given: NewAttachment): Promise<StoredBytes | undefined> {
  try {
    const { rows } = await db.query<StoredBytes & object>({
      name: 'attachment-insert',
      text: `INSERT INTO attachments (task_id, name, content_type, size, sha256) VALUES ($1, $2, $3, $4, $5)
        RETURNING id, storage_key`,
      values: [given.taskId, given.name, given.contentType, given.size, given.sha256],
    })
    return rows[0]
  } catch (error) {
    if ((error as { code?: string }).code === FOREIGN_KEY_VIOLATION) return undefined
    throw error
  }
}

/** Attaches a stored upload to its task; returns undefined if the upload was abandoned. */
export async function attachUpload(
  transaction: Transaction,
  id: number,
  userId: number | null,
): Promise<AttachmentRow | undefined> {
  const { rows } = await transaction.query<AttachmentRow & object>({
    name: 'attachment-attach',
    text: `UPDATE attachments a SET attached = true, user_id = $2
      WHERE a.id = $1 AND a.task_id IS NOT NULL AND NOT a.attached RETURNING ${COLUMNS}`,
    values: [id, userId],
  })
  return rows[0]
}

export async function listAttachments(db: Queryable, taskId: number): Promise<AttachmentRow[]> {
  const { rows } = await db.query<AttachmentRow & object>({
    name: 'attachment-list',
    read: 'quick',
    text: `SELECT ${COLUMNS} FROM attachments a WHERE a.task_id = $1 AND a.attached ORDER BY a.id`,
    values: [taskId],
  })
  return rows
}

export async function findAttachment(
  db: Queryable,
  taskId: number,
  id: number,
): Promise<AttachmentRow | undefined> {
  const { rows } = await db.query<AttachmentRow & object>({
    name: 'attachment-find',
    read: 'quick',
    text: `SELECT ${COLUMNS} FROM attachments a WHERE a.id = $2 AND a.task_id = $1 AND a.attached`,
    values: [taskId, id],
  })
  return rows[0]
}

/** Removes an attachment from its task; its bytes remain to be removed. Returns undefined if it does not exist. */
export async function detachAttachment(
  db: Queryable,
  taskId: number,
  id: number,
): Promise<StoredBytes | undefined> {
  const { rows } = await db.query<StoredBytes & object>({
    name: 'attachment-detach',
    text: `UPDATE attachments SET task_id = NULL WHERE id = $2 AND task_id = $1 AND attached
      RETURNING id, storage_key`,
    values: [taskId, id],
  })
  return rows[0]
}

/** Returns the number of attachments of a task. */
export async function countAttachments(transaction: Transaction, taskId: number): Promise<number> {
  const { rows } = await transaction.query<{ count: number }>({
    name: 'attachment-count',
    text: 'SELECT count(*) AS count FROM attachments WHERE task_id = $1 AND attached',
    values: [taskId],
  })
  return rows[0]!.count
}

/** Returns the total size of the attachments of a user's tasks. Locks it until the transaction ends. */
export async function lockUsage(transaction: Transaction, userId: number): Promise<number> {
  await transaction.query({
    name: 'attachment-usage-lock',
    text: `SELECT pg_advisory_xact_lock(hashtextextended('attachments of user ' || $1, 0))`,
    values: [String(userId)],
  })
  // A separate statement: it must see rows that were committed while the lock was awaited.
  const { rows } = await transaction.query<{ bytes: number }>({
    name: 'attachment-usage',
    text: `SELECT coalesce(sum(size), 0)::bigint AS bytes FROM attachments
      WHERE user_id = $1 AND attached AND task_id IS NOT NULL`,
    values: [userId],
  })
  return rows[0]!.bytes
}

/** Abandons an upload; undefined if it is already attached or abandoned. */
export async function giveUp(db: Queryable, id: number): Promise<StoredBytes | undefined> {
  const { rows } = await db.query<StoredBytes & object>({
    name: 'attachment-give-up',
    text: `UPDATE attachments SET task_id = NULL WHERE id = $1 AND task_id IS NOT NULL AND NOT attached
      RETURNING id, storage_key`,
    values: [id],
  })
  return rows[0]
}

/** Abandons uploads that started so long ago that their process must have died. */
export async function giveUpOld(db: Queryable, seconds: number): Promise<void> {
  await db.query({
    text: `UPDATE attachments SET task_id = NULL
      WHERE NOT attached AND task_id IS NOT NULL AND created_at < now() - make_interval(secs => $1)`,
    values: [seconds],
  })
}

/** Returns up to `limit` rows with an id above `after` whose bytes must be removed. */
export async function listUnwanted(db: Queryable, after: number, limit: number): Promise<StoredBytes[]> {
  const { rows } = await db.query<StoredBytes & object>({
    text: `SELECT id, storage_key FROM attachments WHERE task_id IS NULL AND id > $1 ORDER BY id LIMIT $2`,
    values: [after, limit],
  })
  return rows
}

/** Deletes rows whose bytes are removed. */
export async function forgetBytes(db: Queryable, ids: number[]): Promise<void> {
  await db.query({
    name: 'attachment-forget',
    text: 'DELETE FROM attachments WHERE id = ANY ($1) AND task_id IS NULL',
    values: [ids],
  })
}
