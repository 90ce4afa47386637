import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { node } from './process.ts'

export interface PostCommand {
  do: 'post'
  port: number
  count: number
  everyMs: number
}
export type Command =
  | { do: 'connect'; port: number; path: string; count: number }
  | PostCommand
  | { do: 'end' }

/** What the clients tell; each message has one of these. */
export interface Report {
  /** How many sockets are open, once all are. */
  open?: number
  /** Text frames received so far, over all sockets. */
  frames?: number
  /** Milliseconds from POST to last receipt, one for each POST. */
  latencies?: number[]
  /** Milliseconds from POST to its answer, one for each. */
  answers?: number[]
  failed?: string
}

/** WebSocket clients in a process of their own. */
export class SocketClients implements AsyncDisposable {
  readonly #child: ChildProcess
  #ending = false
  #open = 0
  #onReport: (report: Report) => void = () => {}

  constructor() {
    this.#child = fork(new URL('../load/socket-clients.ts', import.meta.url), { execPath: node })
    this.#child.on('message', (report: Report) => {
      if (report.failed && !this.#ending) throw new Error(`clients: ${report.failed}`)
      this.#onReport(report)
    })
  }

  get pid(): number {
    return this.#child.pid!
  }

  /** Opens `count` more. */
  async connect(port: number, path: string, count: number): Promise<void> {
    this.#open += count
    const opened = this.#until(({ open }) => open === this.#open)
    this.#send({ do: 'connect', port, path, count })
    await opened
  }

  /** Resolves when all sockets together have received so many frames; `onProgress` hears how many so far. */
  async received(count: number, onProgress: (frames: number) => void = () => {}): Promise<void> {
    await this.#until(({ frames = 0 }) => {
      onProgress(frames)
      return frames >= count
    })
  }

  /** Posts at a steady pace; of each, the times until the last receipt and until the answer. */
  async post(
    port: number,
    count: number,
    everyMs: number,
  ): Promise<{ latencies: number[]; answers: number[] }> {
    let done: Report = {}
    const reported = this.#until((report) => {
      if (report.latencies) done = report
      return done.latencies !== undefined
    })
    this.#send({ do: 'post', port, count, everyMs })
    await reported
    return { latencies: done.latencies!, answers: done.answers! }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending = true
    this.#send({ do: 'end' })
    await once(this.#child, 'exit')
  }

  #send(command: Command): void {
    this.#child.send(command)
  }

  #until(reached: (report: Report) => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#onReport = (report) => {
        if (reached(report)) resolve()
      }
    })
  }
}
