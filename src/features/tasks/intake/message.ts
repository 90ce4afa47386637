import { type CreateTask, type NewJob, type NewTask, newTask, UNTITLED } from '../index.ts'

const MAX_BYTES = 1024 * 1024

/** A message that can become a task. */
export interface TaskMessage {
  /** Of its producer; undefined: it cannot be told from another. */
  messageId: string | undefined
  task: NewTask
  /** undefined: it tells of work that has been begun or done elsewhere. */
  job: NewJob | undefined
}

/**
 * Reads a message: JSON with the fields of POST /tasks, none of which it must have. Throws an Error
 * whose text says what is wrong with it.
 */
export function readMessage(
  { content, messageId }: { content: Buffer; messageId: unknown },
  check: (body: unknown) => CreateTask,
  checkJob: (job: NewJob) => void,
): TaskMessage {
  if (content.length > MAX_BYTES) throw new Error(`larger than ${MAX_BYTES} bytes`)
  const input = check(parseJson(content))
  const task = newTask({ ...input, title: input.title ?? UNTITLED.title }, null)
  const job = input.job ?? (task.status === 'todo' ? UNTITLED.job : undefined)
  if (job) checkJob(job)
  return { messageId: readId(messageId), task, job }
}

function parseJson(content: Buffer): unknown {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(content)
  } catch {
    throw new Error('not UTF-8')
  }
  try {
    return JSON.parse(text)
  } catch {
    throw new Error(text === '' ? 'empty' : 'not JSON')
  }
}

function readId(id: unknown): string | undefined {
  if (typeof id !== 'string' || id === '') return undefined
  if (id.includes('\0')) throw new Error('message_id has NUL in it')
  return id
}
