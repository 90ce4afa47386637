import { operator } from '../../../core/actor.ts'
import type { Database, Queryable } from '../../../platform/database/database.ts'
import { createTaskService, type TaskServiceDeps } from '../index.ts'
import type { TaskMessage } from './message.ts'

const KEPT = "interval '7 days'"

/**
 * Creates tasks from messages, in one transaction with the ids of the messages: a message that is delivered again, in
 * whatever batch and to whatever process, creates no second task. Returns the ids of the tasks that were created.
 */
export function createTasksFromMessages(
  db: Database,
  deps: TaskServiceDeps,
  messages: readonly TaskMessage[],
): Promise<number[]> {
  return db.transaction(async (transaction) => {
    const unknown = await notYetTaken(transaction, messages)
    if (unknown.length === 0) return []
    // A publisher to the queue acts for the operator, who configured it.
    const tasks = createTaskService(transaction, deps)
    const rows = await tasks.createAll(
      { actor: operator },
      unknown.map(({ task }) => task),
    )
    return rows.map(({ id }) => id)
  })
}

/** Records the ids of the messages, and returns the messages whose id was not recorded before or that have none. */
async function notYetTaken(db: Queryable, messages: readonly TaskMessage[]): Promise<TaskMessage[]> {
  const byId = new Map<string, TaskMessage>()
  for (const message of messages) {
    const { messageId } = message
    if (messageId !== undefined && !byId.has(messageId)) byId.set(messageId, message)
  }
  if (byId.size === 0) return [...messages]
  const { rows } = await db.query<{ id: string }>({
    name: 'inbox-insert',
    // In one order, so that two processes that take in the same messages do not deadlock.
    text: `INSERT INTO message_inbox (message_id) SELECT id FROM unnest($1::text[]) AS id ORDER BY id
      ON CONFLICT DO NOTHING RETURNING message_id AS id`,
    values: [[...byId.keys()]],
  })
  const fresh = new Set(rows.map(({ id }) => byId.get(id)))
  return messages.filter((message) => message.messageId === undefined || fresh.has(message))
}

/** Removes the ids of up to `limit` messages that are a week old; returns how many it removed. */
export async function purgeTaskMessages(db: Queryable, limit: number): Promise<number> {
  const { rowCount } = await db.query({
    text: `DELETE FROM message_inbox WHERE message_id IN (
      SELECT message_id FROM message_inbox WHERE received_at < now() - ${KEPT} LIMIT $1)`,
    values: [limit],
  })
  return rowCount ?? 0
}
