import type { Database, Queryable } from '../../../platform/database/database.ts'
import { insertTasks } from '../index.ts'
import type { Executables } from '../jobs/executable-tasks.ts'
import type { TaskMessage } from './message.ts'

const KEPT = "interval '7 days'"

/**
 * Makes tasks of messages, in one transaction with their ids: a message that comes again, in whatever
 * batch and to whatever process, makes no second task. Resolves to the ids of the tasks that were made.
 */
export function createTasksFromMessages(
  db: Database,
  executables: Executables,
  messages: readonly TaskMessage[],
): Promise<number[]> {
  return db.transaction(async (transaction) => {
    const unknown = await notYetTaken(transaction, messages)
    const jobs = unknown.flatMap(({ task, job }) => (job ? [{ task, job }] : []))
    const others = unknown.flatMap(({ task, job }) => (job ? [] : [task]))
    const made = [
      ...(jobs.length > 0 ? await executables.createAll(transaction, jobs) : []),
      ...(others.length > 0 ? (await insertTasks(transaction, others)).rows : []),
    ]
    return made.map(({ id }) => id)
  })
}

async function notYetTaken(db: Queryable, messages: readonly TaskMessage[]): Promise<TaskMessage[]> {
  const byId = new Map<string, TaskMessage>()
  for (const message of messages) {
    const { messageId } = message
    if (messageId !== undefined && !byId.has(messageId)) byId.set(messageId, message)
  }
  if (byId.size === 0) return [...messages]
  const { rows } = await db.query<{ id: string }>({
    name: 'inbox-insert',
    // In one order, so that two who take in the same messages do not wait for each other in a circle.
    text: `INSERT INTO message_inbox (message_id) SELECT id FROM unnest($1::text[]) AS id ORDER BY id
      ON CONFLICT DO NOTHING RETURNING message_id AS id`,
    values: [[...byId.keys()]],
  })
  const fresh = new Set(rows.map(({ id }) => byId.get(id)))
  return messages.filter((message) => message.messageId === undefined || fresh.has(message))
}

/** Forgets up to `limit` messages of a week ago; says how many. */
export async function purgeTaskMessages(db: Queryable, limit: number): Promise<number> {
  const { rowCount } = await db.query({
    text: `DELETE FROM message_inbox WHERE message_id IN (
      SELECT message_id FROM message_inbox WHERE received_at < now() - ${KEPT} LIMIT $1)`,
    values: [limit],
  })
  return rowCount ?? 0
}
