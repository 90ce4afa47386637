import { createHash, randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { createClient, TaskwireError } from '../../packages/client/src/index.ts'
import { errorText, StartupError } from '../core/errors.ts'
import type { FileFormat, ImportedTask } from '../features/tasks/index.ts'
import { noServer, type ProgramContext, TOKEN_ADVICE } from './context.ts'
import { printable } from './table.ts'
import { FileError, readTasks, type TaskLine } from './task-lines.ts'

export interface ImportTasksOptions {
  url: string
  token: string | undefined
  format: FileFormat
  /** Only look whether it could be done. */
  dryRun: boolean
  /** Import also what was imported from this file before. */
  again: boolean
}

/** Size of a batch: the server's maximum of tasks, and bytes of JSON well below its body limit. */
const BATCH = { tasks: 500, bytes: 4 * 1024 * 1024 }
const BATCH_TIMEOUT_MS = 60_000
const MOST_MISTAKES = 50

type Line = TaskLine & { task: ImportedTask }

/**
 * `taskwire import FILE`: makes a task of each line of a file, or of standard input for `-`. Each batch has a key
 * of its content and place, so that the same file can be imported again after a failure, and makes no task twice.
 */
export async function importTasksCommand(
  file: string,
  options: ImportTasksOptions,
  { console, input, signal }: ProgramContext,
): Promise<void> {
  const name = file === '-' ? 'standard input' : file
  const bytes = file === '-' ? (input as AsyncIterable<Uint8Array>) : createReadStream(file)
  const lines = readTasks(bytes, options.format)
  try {
    if (options.dryRun) return await check(name, lines, console)
    await send(name, lines, options, console, signal)
  } catch (error) {
    if (error instanceof FileError) throw new StartupError(`${name}: ${error.message}`)
    if ((error as NodeJS.ErrnoException).syscall)
      throw new StartupError(`${name} cannot be read: ${errorText(error)}`)
    throw error
  }
}

async function check(
  name: string,
  lines: AsyncIterable<TaskLine>,
  console: ProgramContext['console'],
): Promise<void> {
  let tasks = 0
  let mistakes = 0
  for await (const line of lines) {
    if ('task' in line) tasks++
    else if (++mistakes <= MOST_MISTAKES) console.err(mistakeText(name, line.line, line.mistake))
  }
  const counted = `${name}: ${count(tasks)} can be imported`
  if (mistakes > 0) throw new StartupError(`${counted}, ${mistakes} cannot`)
  console.out(counted)
}

async function send(
  name: string,
  lines: AsyncIterable<TaskLine>,
  { url, token, again }: ImportTasksOptions,
  console: ProgramContext['console'],
  signal: AbortSignal,
): Promise<void> {
  const { request } = createClient({ url, token })
  const salt = again ? randomUUID() : ''
  let created = 0
  let known = 0
  let number = 0
  try {
    for await (const batch of batches(name, lines)) {
      const body = { operations: batch.map(({ task }) => ({ op: 'create' as const, task })) }
      const digest = createHash('sha256')
        .update(salt + JSON.stringify(body))
        .digest('hex')
      const idempotencyKey = `taskwire-import-${++number}-${digest}`
      const answer = await request('POST /tasks/batch', {
        ...{ body, idempotencyKey, signal },
        timeoutMs: BATCH_TIMEOUT_MS,
      }).catch((error) => Promise.reject(failure(name, url, error, batch)))
      if (answer.headers.has('idempotency-replayed')) known += batch.length
      else created += batch.length
      console.progress(`${count(created + known)} …`)
    }
  } catch (error) {
    if (created + known > 0) {
      console.err(
        `${count(created + known)} before that are imported. Import the same file again when it is mended: they are not imported twice within a day, as long as what is before stays as it is.`,
      )
    }
    throw error
  }
  const before =
    known > 0 ? `; ${count(known)} had been imported before (--again imports them once more)` : ''
  console.out(`${name}: ${count(created)} imported${before}`)
}

async function* batches(name: string, lines: AsyncIterable<TaskLine>): AsyncGenerator<Line[]> {
  let batch: Line[] = []
  let bytes = 0
  for await (const line of lines) {
    if (!('task' in line)) throw new StartupError(mistakeText(name, line.line, line.mistake))
    const size = Buffer.byteLength(JSON.stringify(line.task))
    if (batch.length === BATCH.tasks || (batch.length > 0 && bytes + size > BATCH.bytes)) {
      yield batch
      batch = []
      bytes = 0
    }
    batch.push(line)
    bytes += size
  }
  if (batch.length > 0) yield batch
}

/** Returns the server's error about a batch, with the line of the file if the server names the operation. */
function failure(name: string, url: string, error: unknown, batch: readonly Line[]): unknown {
  if (!(error instanceof TaskwireError)) return error
  if (error.status === 0) return noServer(url, error)
  if (error.status === 401) return new StartupError(`${error.message} For this command, ${TOKEN_ADVICE}`)
  const [first] = error.problem?.errors ?? []
  const [, place, field = ''] = /^body\.operations\.(\d+)(?:\.task)?\.?(.*)$/.exec(first?.path ?? '') ?? []
  const line = place === undefined ? undefined : batch[Number(place)]?.line
  if (line === undefined) return new StartupError(printable(error.message))
  return new StartupError(mistakeText(name, line, `${field} ${first!.message}`.trim()))
}

function mistakeText(name: string, line: number, mistake: string): string {
  return printable(`${name}, line ${line}: ${mistake}`)
}

function count(tasks: number): string {
  return tasks === 1 ? '1 task' : `${tasks.toLocaleString('en')} tasks`
}
