import { setTimeout as delay } from 'node:timers/promises'
import { WebSocket } from 'ws'

const RETRY_MS = 10

/** A reader that comes back with the id of its last event whenever it must. */
export abstract class Follower {
  readonly ids: number[] = []
  readonly problems: string[] = []
  /** How often it was told that it goes on where it was. */
  resumed = 0
  /** Only events of these types; undefined: all. */
  readonly types: string | undefined
  protected readonly place: () => string
  #running = true
  #last: string
  readonly #following: Promise<void>

  /** `place` says where a server is now, which changes. */
  constructor(place: () => string, options: { after: string; types?: string }) {
    this.place = place
    this.types = options.types
    this.#last = options.after
    // Once the fields of the class below this one are there.
    this.#following = Promise.resolve().then(() => this.#follow())
  }

  async stop(): Promise<void> {
    this.#running = false
    this.cut()
    await this.#following
  }

  abstract readonly isConnected: boolean
  /** Ends the connection without a word. */
  abstract cut(): void
  /** Resolves when the connection has ended. */
  protected abstract listen(after: string, heard: (text: string) => void): Promise<void>

  async #follow(): Promise<void> {
    while (this.#running) {
      await this.listen(this.#last, (text) => {
        const { id, type, data } = JSON.parse(text)
        if (type === 'resumed') {
          this.resumed++
          if (!data.recovered || data.after !== this.#last) this.problems.push(text)
        } else {
          this.ids.push(Number(id))
          this.#last = id
        }
      }).catch(() => {})
      await delay(RETRY_MS)
    }
  }
}

export class SocketFollower extends Follower {
  #socket: WebSocket | undefined

  override get isConnected(): boolean {
    return this.#socket?.readyState === WebSocket.OPEN
  }

  override cut(): void {
    this.#socket?.terminate()
  }

  protected override listen(after: string, heard: (text: string) => void): Promise<void> {
    return new Promise((resolve) => {
      const types = this.types ? `&types=${this.types}` : ''
      const socket = new WebSocket(`${this.place().replace('http', 'ws')}/ws?after=${after}${types}`)
      this.#socket = socket
      socket.on('message', (data) => heard(String(data)))
      socket.on('error', () => {})
      socket.on('close', () => resolve())
    })
  }
}

export class SourceFollower extends Follower {
  #controller: AbortController | undefined
  #connected = false

  override get isConnected(): boolean {
    return this.#connected
  }

  override cut(): void {
    this.#controller?.abort()
  }

  protected override async listen(after: string, heard: (text: string) => void): Promise<void> {
    this.#controller = new AbortController()
    const { signal } = this.#controller
    const headers = { accept: 'text/event-stream', 'last-event-id': after }
    try {
      const query = this.types ? `?types=${this.types}` : ''
      const response = await fetch(`${this.place()}/events${query}`, { headers, signal })
      this.#connected = true
      let text = ''
      for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
        const messages = (text + chunk).split('\n\n')
        text = messages.pop()!
        for (const message of messages) {
          const data = /^data: (.*)$/m.exec(message)?.[1]
          if (data !== undefined) heard(data)
        }
      }
    } finally {
      this.#connected = false
    }
  }
}
