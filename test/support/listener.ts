import { once } from 'node:events'
import { onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import type { Task } from './writers.ts'

/** One event as clients read it. */
export interface ToldEvent {
  id: string
  type: string
  at: string
  data: {
    task?: Task
    task_id?: number
    importer?: string
    run_id?: number
    error?: string
    created_count?: number
  }
}

export interface Listener {
  events: ToldEvent[]
  /** Resolves to the close code. */
  closed: Promise<number>
  readonly isOpen: boolean
  send(text: string): void
  close(): void
}

/** A WebSocket client that notes what it is told; resolves when it is connected. */
export async function listen(url: string): Promise<Listener> {
  const socket = new WebSocket(url)
  const events: ToldEvent[] = []
  socket.on('message', (data) => void events.push(JSON.parse(String(data))))
  const closed = new Promise<number>((resolve) => socket.on('close', resolve))
  onTestFinished(() => socket.terminate())
  await once(socket, 'open')
  socket.on('error', () => {}) // 'close' follows.
  return {
    events,
    closed,
    get isOpen() {
      return socket.readyState === socket.OPEN
    },
    send: (text) => socket.send(text),
    close: () => socket.close(),
  }
}
