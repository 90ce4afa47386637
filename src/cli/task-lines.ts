import { schemaRegistry } from '../app/schema-registry.ts'
import { DomainError } from '../core/errors.ts'
import {
  type FileFormat,
  fieldOf,
  type ImportedTask,
  ImportedTaskSchema,
  isImported,
  newTask,
} from '../features/tasks/index.ts'
import { CsvError, parseCsv } from '../platform/http/csv.ts'
import { bodyValidator } from '../platform/http/validation.ts'

/** A task of a file, or what is wrong with it. */
export type TaskLine = { line: number } & ({ task: ImportedTask } | { mistake: string })

/** The file cannot be read any further. */
export class FileError extends Error {
  override readonly name = 'FileError'
}

/** Longer than any task; a file of another kind may have no line breaks at all. */
const MAX_LINE_CHARACTERS = 1_000_000

/**
 * Reads the tasks of a file as it comes in, and checks them as the server does. Throws FileError where the file
 * is not of its format.
 */
export async function* readTasks(
  bytes: AsyncIterable<Uint8Array | string>,
  format: FileFormat,
): AsyncGenerator<TaskLine> {
  const check = bodyValidator<ImportedTask>(schemaRegistry, ImportedTaskSchema)
  const records = format === 'csv' ? csvRecords(decoded(bytes)) : jsonRecords(decoded(bytes))
  for await (const { line, record } of records) {
    try {
      const task = check(record())
      // Fields can contradict each other, which no schema expresses.
      newTask(task, null)
      yield { line, task }
    } catch (error) {
      if (!(error instanceof DomainError || error instanceof Mistake)) throw error
      yield { line, mistake: mistakeIn(error) }
    }
  }
}

class Mistake extends Error {}

function mistakeIn(error: DomainError | Mistake): string {
  if (error instanceof Mistake) return error.message
  const { errors = [], message } = error
  return (
    errors.map(({ path, message }) => `${path.replace(/^body\.?/, '')} ${message}`.trim()).join('; ') ||
    message
  )
}

interface Read {
  line: number
  /** Its fields; throws what is wrong with it. */
  record: () => object
}

async function* jsonRecords(chunks: AsyncIterable<string>): AsyncGenerator<Read> {
  let number = 0
  for await (const line of linesOf(chunks)) {
    number++
    if (line.trim() !== '') yield { line: number, record: () => taken(parsed(line)) }
  }
}

function parsed(line: string): object {
  try {
    const value: unknown = JSON.parse(line)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  } catch {
    // Said below.
  }
  throw new Mistake('is not a JSON object')
}

/** The fields that an import takes. */
function taken(record: object): object {
  return Object.fromEntries(Object.entries(record).filter(([field]) => known(field)))
}

function known(field: string): boolean {
  const is = isImported(field)
  if (is === undefined) throw new Mistake(`has an unknown field "${field.slice(0, 100)}"`)
  return is
}

async function* csvRecords(chunks: AsyncIterable<string>): AsyncGenerator<Read> {
  let head: string[] | undefined
  try {
    for await (const { line, cells } of parseCsv(chunks)) {
      if (cells.length === 1 && cells[0] === null) continue
      if (head) {
        const fields = head
        yield { line, record: () => table(fields, cells) }
      } else {
        head = headOf(line, cells)
      }
    }
  } catch (error) {
    throw error instanceof CsvError ? new FileError(`line ${error.line}: ${error.message}`) : error
  }
  if (!head) throw new FileError('line 1: there are no names of columns')
}

function headOf(line: number, cells: readonly (string | null)[]): string[] {
  const names = cells.map((cell) => (cell ?? '').trim().toLowerCase())
  const twice = names.find((name, i) => names.indexOf(name) < i)
  const unknown = names.find((name) => isImported(name) === undefined)
  if (unknown !== undefined)
    throw new FileError(`line ${line}: there is no column "${unknown.slice(0, 100)}" of tasks`)
  if (twice !== undefined) throw new FileError(`line ${line}: the column "${twice}" is there twice`)
  if (!names.includes('title')) throw new FileError(`line ${line}: there is no column "title"`)
  return names
}

function table(head: readonly string[], cells: readonly (string | null)[]): object {
  if (cells.length !== head.length) {
    throw new Mistake(`has ${cells.length} cells, and the first line has ${head.length}`)
  }
  const fields = head.map((name, i) => [name, fieldOf(name, cells[i]!)] as const)
  return Object.fromEntries(fields.filter(([name, value]) => isImported(name) && value !== undefined))
}

async function* linesOf(chunks: AsyncIterable<string>): AsyncGenerator<string> {
  let rest = ''
  let count = 0
  for await (const chunk of chunks) {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop()!
    count += lines.length
    if (rest.length > MAX_LINE_CHARACTERS) throw new FileError(`line ${count + 1}: the line does not end`)
    yield* lines
  }
  if (rest !== '') yield rest
}

async function* decoded(bytes: AsyncIterable<Uint8Array | string>): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  try {
    for await (const chunk of bytes) {
      yield decoder.decode(typeof chunk === 'string' ? Buffer.from(chunk) : chunk, { stream: true })
    }
    yield decoder.decode()
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ERR_ENCODING_INVALID_ENCODED_DATA') throw error
    throw new FileError('it is not text in UTF-8')
  }
}
