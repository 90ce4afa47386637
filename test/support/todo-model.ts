import type { SourceTodo } from '../../src/features/imports/todos/todo-source.ts'

export interface PatchTask {
  title?: string
  description?: string | null
  status?: 'todo' | 'in_progress' | 'done' | 'failed'
  completed?: boolean
  priority?: 'none' | 'urgent'
  due_at?: string | null
  labels?: string[]
  city?: string | null
}

interface Fields {
  title: string
  description: string | null
  status: string
}

/** How a todo looks as a task. */
const shown = ({ title, description, completed }: SourceTodo): Fields => ({
  title,
  description,
  status: completed ? 'done' : 'todo',
})
const same = (a: object, b: object) => JSON.stringify(a) === JSON.stringify(b)

class Known {
  place: 'here' | 'trash' | 'purged' = 'here'
  fields: Fields
  /** Fields of which the source knows nothing. */
  readonly own = {
    priority: 'none' as 'none' | 'urgent',
    due_at: null as string | null,
    labels: [] as string[],
    city: null as string | null,
  }
  /** The source's word that was taken last. */
  word: SourceTodo
  /** Fields that are a person's for good. */
  readonly theirs = new Set<string>()

  constructor(word: SourceTodo) {
    this.word = word
    this.fields = shown(word)
  }

  edit({ completed, title, description, status, ...own }: PatchTask): void {
    Object.assign(this.own, own)
    const fields: Partial<Fields> = {
      ...(title !== undefined && { title }),
      ...(description !== undefined && { description }),
      ...(status !== undefined && { status }),
    }
    if (completed === true) fields.status = 'done'
    if (completed === false && this.fields.status === 'done') fields.status = 'todo'
    Object.assign(this.fields, fields)
  }

  /** Takes a new word of the source; says whether the task changed. */
  take(word: SourceTodo): boolean {
    const before = { ...this.fields }
    for (const field of ['title', 'description', 'status'] as const) {
      if (this.fields[field] !== shown(this.word)[field]) this.theirs.add(field)
      if (!this.theirs.has(field)) Object.assign(this.fields, { [field]: shown(word)[field] })
    }
    this.word = word
    return !same(before, this.fields)
  }
}

/**
 * The rule of the import in plain words: an item is never inserted twice, what upstream changed is
 * updated, what a person edited is never overwritten, what a person deleted does not come back. A
 * field is a person's when it is not what the source said last at the time the source says something new.
 */
export class TodoModel {
  readonly known = new Map<string, Known>()

  run(todos: SourceTodo[]): { created: string[]; updated: string[]; remembered: string[] } {
    const outcome = { created: [] as string[], updated: [] as string[], remembered: [] as string[] }
    for (const todo of todos) {
      const known = this.known.get(todo.key)
      if (!known) {
        this.known.set(todo.key, new Known(todo))
        outcome.created.push(todo.key)
      } else if (known.place === 'here' && !same(known.word, todo)) {
        outcome.remembered.push(todo.key)
        if (known.take(todo)) outcome.updated.push(todo.key)
      }
    }
    return outcome
  }

  /** The rows of `tasks` there have to be, by key. */
  tasks(source: string): object[] {
    return [...this.known]
      .filter(([, { place }]) => place !== 'purged')
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([source_key, { fields, own, place }]) => ({
        source_key,
        source,
        ...fields,
        ...own,
        trashed: place === 'trash',
      }))
  }
}
