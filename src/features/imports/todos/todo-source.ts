import { download } from '../../../platform/outbound/download.ts'

const TIMEOUT_MS = 10_000
const MAX_BYTES = 16 * 1024 * 1024
const MAX_ITEMS = 100_000
const TITLE_CHARACTERS = 100

/** A todo of the source with the fields of a task. */
export interface SourceTodo {
  key: string
  title: string
  description: string
  completed: boolean
}

/** Fetches all todos of the source; throws an Error that says what is invalid. */
export async function fetchTodos(url: string, signal: AbortSignal): Promise<SourceTodo[]> {
  const bytes = await download(url, {
    timeoutMs: TIMEOUT_MS,
    maxBytes: MAX_BYTES,
    accept: 'application/json',
    signal,
  })
  return parseTodos(bytes)
}

/**
 * Parses the response, an array of `{userId, id, title, completed}` with unique ids. One invalid item makes the whole
 * response fail, so that an import is never partial.
 */
export function parseTodos(bytes: Buffer): SourceTodo[] {
  const items = parseJson(bytes)
  if (!Array.isArray(items)) throw new Error('the response is not a JSON array')
  if (items.length > MAX_ITEMS) throw new Error(`the response has more than ${MAX_ITEMS} items`)
  const todos = items.map(toTodo)
  const keys = new Set<string>()
  for (const { key } of todos) {
    if (keys.has(key)) throw new Error(`the id ${key} appears twice in the response`)
    keys.add(key)
  }
  return todos
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    throw new Error(bytes.length === 0 ? 'the response is empty' : 'the response is not JSON')
  }
}

function toTodo(item: unknown, index: number): SourceTodo {
  const { userId, id, title, completed } = (item ?? {}) as Record<string, unknown>
  const wrong =
    (!isId(id) && 'id') ||
    (!isId(userId) && 'userId') ||
    (typeof title !== 'string' && 'title') ||
    (typeof completed !== 'boolean' && 'completed')
  if (wrong) throw new Error(`item ${index} of the response has no valid "${wrong}"`)
  return {
    key: String(id),
    title: fitTitle(title as string),
    description: `From external API: User ${userId}`,
    completed: completed as boolean,
  }
}

function isId(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

// An invalid title is made to fit, since the import cannot correct it at the source.
function fitTitle(title: string): string {
  const text = title.replaceAll('\0', '').toWellFormed().trim()
  const characters = [...text]
  if (characters.length === 0) return 'Untitled task'
  return characters.length <= TITLE_CHARACTERS
    ? text
    : `${characters
        .slice(0, TITLE_CHARACTERS - 1)
        .join('')
        .trimEnd()}…`
}
