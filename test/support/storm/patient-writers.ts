import { setTimeout as delay } from 'node:timers/promises'

const RETRY_MS = 10

/** Write with a key each and, without an answer, again with the same one, until there is an answer. */
export class PatientWriters {
  /** The id that each title was answered with. */
  readonly answered = new Map<string, number>()
  retries = 0
  #running = true
  readonly #loops: Promise<void>[]
  readonly #place: () => string
  readonly #describe: () => string | null

  /** `place` says where a server is now, which changes; `describe` makes a description for each task. */
  constructor(count: number, place: () => string, describe: () => string | null = () => null) {
    this.#place = place
    this.#describe = describe
    this.#loops = Array.from({ length: count }, (_, writer) => this.#loop(writer))
  }

  /** Ends when each has an answer to its last write. */
  async stop(): Promise<void> {
    this.#running = false
    await Promise.all(this.#loops)
  }

  async #loop(writer: number): Promise<void> {
    for (let i = 0; this.#running; i++) {
      const title = `${writer}-${i}`
      this.answered.set(title, await this.#insist(title))
    }
  }

  async #insist(title: string): Promise<number> {
    const body = JSON.stringify({ title, description: this.#describe() })
    for (;;) {
      try {
        const response = await fetch(`${this.#place()}/tasks`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', 'idempotency-key': title },
          body,
        })
        const task = (await response.json()) as { id: number }
        if (response.status === 201) return task.id
        if (response.status !== 409 && response.status !== 503) throw new Error(`answered ${response.status}`)
      } catch (error) {
        if (!(error instanceof TypeError)) throw error
      }
      this.retries++
      await delay(RETRY_MS)
    }
  }
}
