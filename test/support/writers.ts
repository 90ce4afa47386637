import { setTimeout as delay } from 'node:timers/promises'

const BACKOFF_MS = 20

export interface Task {
  id: number
  title: string
  description: string | null
  status: string
  completed: boolean
  source: string | null
  version: number
}

interface State {
  description: string | null
  status: string
  deleted: boolean
}

/** One task as its writer knows it. Nobody else writes it. */
export interface Entry {
  /** Never changed, and no other entry has it. */
  title: string
  id: number | undefined
  /** What the last acknowledged change made of it, and how many there were. */
  state: State | undefined
  version: number
  /** The last acknowledged answer with a body. */
  task: Task | undefined
  /** What a change without an answer would have made of it. Such a task is left alone from then on. */
  doubtful: State | undefined
}

export interface Failure {
  status: number
  contentType: string
  body: string
}

/** Clients that create, change, delete and restore tasks one after the other and keep account of the answers. */
export class Writers {
  readonly entries: Entry[] = []
  /** Answers that were no success; the ones that never came are not among them. */
  readonly failures: Failure[] = []
  acknowledged = 0
  unanswered = 0
  slowestMs = 0
  readonly #prefix: string
  #running = false
  #loops: Promise<void>[] = []

  /** `prefix` begins the titles. Two that write to one database need different ones. */
  constructor(prefix = 'task') {
    this.#prefix = prefix
  }

  start(url: string, count: number): void {
    this.#running = true
    this.#loops = Array.from({ length: count }, () => this.#loop(url))
  }

  /** They end after the change they are at. */
  async stop(): Promise<void> {
    this.#running = false
    await Promise.all(this.#loops)
  }

  async #loop(url: string): Promise<void> {
    while (this.#running) {
      const before = this.unanswered
      await this.#life(`${url}/tasks`)
      // A client that is refused does not ask again at once.
      if (this.unanswered > before) await delay(BACKOFF_MS)
    }
  }

  /** One task from its creation on; half of them end in the trash, and half of those come back. */
  async #life(tasks: string): Promise<void> {
    const number = this.entries.length
    const entry: Entry = {
      title: `${this.#prefix} ${number}`,
      id: undefined,
      state: undefined,
      version: 0,
      task: undefined,
      doubtful: undefined,
    }
    this.entries.push(entry)
    const { title } = entry
    const change = (method: string, path: string, state: State, body?: object) =>
      this.#running &&
      this.#change(entry, method, `${tasks}${path && `/${entry.id}${path.slice(1)}`}`, state, body)
    const first = { description: 'first', status: 'todo', deleted: false }
    const second = { description: 'second', status: 'in_progress', deleted: false }
    const third = { description: null, status: 'done', deleted: false }
    if (!(await change('POST', '', first, { title, description: 'first' }))) return
    if (!(await change('PATCH', '/', second, { description: 'second', status: 'in_progress' }))) return
    if (!(await change('PUT', '/', third, { title, completed: true }))) return
    if (number % 2 === 0 || !(await change('DELETE', '/', { ...third, deleted: true }))) return
    if (number % 4 === 1) await change('POST', '//restore', third)
  }

  /** False when it was not acknowledged. */
  async #change(entry: Entry, method: string, url: string, state: State, body?: object): Promise<boolean> {
    const sent = performance.now()
    try {
      const response = await fetch(url, {
        method,
        ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
      })
      const text = await response.text()
      this.slowestMs = Math.max(this.slowestMs, performance.now() - sent)
      if (!response.ok) {
        const contentType = response.headers.get('content-type') ?? ''
        this.failures.push({ status: response.status, contentType, body: text })
        throw new Error(text)
      }
      if (text) entry.task = JSON.parse(text)
      entry.id ??= entry.task!.id
      entry.state = state
      entry.version++
      this.acknowledged++
      return true
    } catch {
      entry.doubtful = state
      this.unanswered++
      return false
    }
  }
}
