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

/** What is known of bytes whatever they are attached to. */
export interface StoredBytes {
  id: number
  storage_key: string
}

const FOREIGN_KEY_VIOLATION = '23503'

/** Notes what is going to be stored, before it is; nobody sees it yet. undefined: there is no such task. */
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

/** Makes what is stored an attachment of its task; undefined when it has been given up meanwhile. */
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

/** Takes an attachment from its task; what remains is to remove its bytes. undefined: there is none. */
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

/** How many attachments a task has. */
export async function countAttachments(transaction: Transaction, taskId: number): Promise<number> {
  const { rows } = await transaction.query<{ count: number }>({
    name: 'attachment-count',
    text: 'SELECT count(*) AS count FROM attachments WHERE task_id = $1 AND attached',
    values: [taskId],
  })
  return rows[0]!.count
}

/** Bytes of all attachments of a user's tasks; until the transaction ends nobody else who asks gets an answer. */
export async function lockUsage(transaction: Transaction, userId: number): Promise<number> {
  await transaction.query({
    name: 'attachment-usage-lock',
    text: `SELECT pg_advisory_xact_lock(hashtextextended('attachments of user ' || $1, 0))`,
    values: [String(userId)],
  })
  // A statement of its own: it has to see what was committed while it waited for the lock.
  const { rows } = await transaction.query<{ bytes: number }>({
    name: 'attachment-usage',
    text: `SELECT coalesce(sum(size), 0)::bigint AS bytes FROM attachments
      WHERE user_id = $1 AND attached AND task_id IS NOT NULL`,
    values: [userId],
  })
  return rows[0]!.bytes
}

/** Gives up an upload that is not attached; undefined when it is, or was given up before. */
export async function giveUp(db: Queryable, id: number): Promise<StoredBytes | undefined> {
  const { rows } = await db.query<StoredBytes & object>({
    name: 'attachment-give-up',
    text: `UPDATE attachments SET task_id = NULL WHERE id = $1 AND task_id IS NOT NULL AND NOT attached
      RETURNING id, storage_key`,
    values: [id],
  })
  return rows[0]
}

/** Gives up uploads that began so long ago that whoever began them must have died. */
export async function giveUpOld(db: Queryable, seconds: number): Promise<void> {
  await db.query({
    text: `UPDATE attachments SET task_id = NULL
      WHERE NOT attached AND task_id IS NOT NULL AND created_at < now() - make_interval(secs => $1)`,
    values: [seconds],
  })
}

/** Up to `limit` whose bytes are to be removed, those with an id above `after`. */
export async function listUnwanted(db: Queryable, after: number, limit: number): Promise<StoredBytes[]> {
  const { rows } = await db.query<StoredBytes & object>({
    text: `SELECT id, storage_key FROM attachments WHERE task_id IS NULL AND id > $1 ORDER BY id LIMIT $2`,
    values: [after, limit],
  })
  return rows
}

/** Forgets what has no bytes any more. */
export async function forgetBytes(db: Queryable, ids: number[]): Promise<void> {
  await db.query({
    name: 'attachment-forget',
    text: 'DELETE FROM attachments WHERE id = ANY ($1) AND task_id IS NULL',
    values: [ids],
  })
}
