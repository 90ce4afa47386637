import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { eventually } from '../support/eventually.ts'
import { descendants, kill } from '../support/processes.ts'
import { connectTo, startServer, stop, temporaryFolder } from '../support/server.ts'

const ROUNDS = 10
const WRITERS = 5
const RETRY_MS = 10

/** Where the server is now; it comes back on another port. */
const place = { url: '' }

/** Writes with a key each and, without an answer, again with the same one, until there is an answer. */
class PatientWriters {
  readonly answered = new Map<string, number>()
  retries = 0
  #running = true
  readonly #loops: Promise<void>[]

  constructor(count: number) {
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
    for (;;) {
      try {
        const response = await fetch(`${place.url}/tasks`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', 'idempotency-key': title },
          body: JSON.stringify({ title }),
        })
        const body = (await response.json()) as { id: number }
        if (response.status === 201) return body.id
        if (response.status !== 409 && response.status !== 503) throw new Error(`answered ${response.status}`)
      } catch (error) {
        if (!(error instanceof TypeError)) throw error
      }
      this.retries++
      await delay(RETRY_MS)
    }
  }
}

/** A reader that comes back with the id of its last event whenever it must. */
abstract class Follower {
  readonly ids: number[] = []
  readonly problems: string[] = []
  #running = true
  #last: string
  readonly #following: Promise<void>

  constructor(start: string) {
    this.#last = start
    this.#following = this.#follow()
  }

  async stop(): Promise<void> {
    this.#running = false
    this.hangUp()
    await this.#following
  }

  protected abstract listen(after: string, heard: (text: string) => void): Promise<void>
  protected abstract hangUp(): void

  async #follow(): Promise<void> {
    while (this.#running) {
      await this.listen(this.#last, (text) => {
        const { id, type, data } = JSON.parse(text)
        if (type === 'resumed') {
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

class SocketFollower extends Follower {
  #socket: WebSocket | undefined

  protected override listen(after: string, heard: (text: string) => void): Promise<void> {
    return new Promise((resolve) => {
      const socket = new WebSocket(`${place.url.replace('http', 'ws')}/ws?after=${after}`)
      this.#socket = socket
      socket.on('message', (data) => heard(String(data)))
      socket.on('error', () => {})
      socket.on('close', () => resolve())
    })
  }

  protected override hangUp(): void {
    this.#socket?.terminate()
  }
}

class SourceFollower extends Follower {
  #controller = new AbortController()

  protected override async listen(after: string, heard: (text: string) => void): Promise<void> {
    this.#controller = new AbortController()
    const headers = { accept: 'text/event-stream', 'last-event-id': after }
    const response = await fetch(`${place.url}/events`, { headers, signal: this.#controller.signal })
    let text = ''
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      const messages = (text + chunk).split('\n\n')
      text = messages.pop()!
      for (const message of messages) {
        const data = /^data: (.*)$/m.exec(message)?.[1]
        if (data !== undefined) heard(data)
      }
    }
  }

  protected override hangUp(): void {
    this.#controller.abort()
  }
}

test(`kill -9, ${ROUNDS} times: each write with a key is done once, and who resumes has each event once`, async () => {
  const dataDir = temporaryFolder()
  let server = await startServer({}, dataDir)
  place.url = server.url
  const writers = new PatientWriters(WRITERS)
  const followers = [new SocketFollower('0'), new SourceFollower('0')]
  for (let round = 0; round < ROUNDS; round++) {
    const target = writers.answered.size + 40 + round * 15
    await eventually(() => writers.answered.size >= target, 'the writers write', 30_000)
    const pids = round % 2 === 0 ? [server.pid] : [server.pid, ...descendants(server.pid)]
    for (const pid of pids) kill(pid, 'SIGKILL')
    await server.exited
    server = await startServer({}, dataDir)
    place.url = server.url
  }
  await writers.stop()
  await using client = await connectTo(dataDir)
  const tasks = await client.query<{ id: number; title: string }>('SELECT id, title FROM tasks')
  expect(new Map(tasks.rows.map(({ id, title }) => [title, id]))).toEqual(writers.answered)
  expect(tasks.rows).toHaveLength(writers.answered.size)

  const events = await client.query<{ id: string }>('SELECT id FROM events ORDER BY events.id')
  const all = events.rows.map(({ id }) => Number(id))
  for (const follower of followers) {
    await eventually(() => follower.ids.length >= all.length, 'the follower has caught up', 30_000)
    await follower.stop()
    expect(follower.problems).toEqual([])
    expect(follower.ids).toEqual(all)
  }
  expect(await stop(server)).toMatchObject({ code: 0 })
  process.stdout.write(
    `kill -9, ${ROUNDS} times: ${writers.answered.size} writes with a key, ${writers.retries} retries, ${all.length} events at each of 2 followers\n`,
  )
}, 180_000)
