import { type CreateTask, type NewJob, type NewTask, newTask, UNTITLED } from '../index.ts'

const MAX_BYTES = 1024 * 1024

/** A message that describes a task. */
export interface TaskMessage {
  /** The id that its producer gave it; undefined: a repeated delivery cannot be recognized. */
  messageId: string | undefined
  /** Without a job if the message reports work that was started or done elsewhere. */
  task: NewTask
}

/**
 * Reads a message: JSON with the fields of POST /tasks, all of them optional. Throws an Error whose text says what is
 * wrong with the message.
 */
export function readMessage(
  { content, messageId }: { content: Buffer; messageId: unknown },
  check: (body: unknown) => CreateTask,
  checkJob: (job: NewJob) => void,
): TaskMessage {
  if (content.length > MAX_BYTES) throw new Error(`larger than ${MAX_BYTES} bytes`)
  const input = check(parseJson(content))
  const task = newTask({ ...input, title: input.title ?? UNTITLED.title }, null)
  if (task.status === 'todo') task.job ??= UNTITLED.job
  if (task.job) checkJob(task.job)
  return { messageId: readId(messageId), task }
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
  if (id.includes('\0')) throw new Error('message_id contains NUL')
  return id
}
