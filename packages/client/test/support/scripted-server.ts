import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What came, as the server saw it. */
export interface Asked {
  method: string
  url: string
  headers: IncomingHttpHeaders
  body: string
}

export type Reply = (response: ServerResponse, asked: Asked) => void | Promise<void>

export interface ScriptedServer extends AsyncDisposable {
  url: string
  asked: Asked[]
  /** Replies that are under way. */
  readonly open: number
}

/** Gives the first request the first reply and so on; the last reply is given to all that follow. */
export async function scriptedServer(...replies: Reply[]): Promise<ScriptedServer> {
  const asked: Asked[] = []
  let open = 0
  const server = createServer(async (request, response) => {
    request.on('error', () => {}) // Replies here cut connections.
    response.on('error', () => {})
    open++
    response.on('close', () => open--)
    let body = ''
    for await (const chunk of request.setEncoding('utf8')) body += chunk
    const { method = '', url = '', headers } = request
    const call = { method, url, headers, body }
    const reply = replies[Math.min(asked.length, replies.length - 1)]!
    asked.push(call)
    await reply(response, call)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    get open() {
      return open
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** An answer with a JSON body. */
export function json(status: number, body: unknown, headers: Record<string, string> = {}): Reply {
  return (response) => {
    const type = status < 400 ? 'application/json' : 'application/problem+json'
    response.writeHead(status, { 'content-type': `${type}; charset=utf-8`, ...headers })
    response.end(JSON.stringify(body))
  }
}

export function problem(status: number, detail: string, headers: Record<string, string> = {}): Reply {
  return json(status, { type: 'about:blank', title: 'T', status, detail, instance: '/' }, headers)
}

/** Ends the connection without an answer. */
export const cut: Reply = (response) => void response.destroy()

/** Never answers. */
export const silence: Reply = () => {}

/** An event stream of these pieces, each a chunk of its own; then it stays open, is ended, or is cut. */
export function stream(pieces: (string | Uint8Array)[], then: 'open' | 'end' | 'cut' = 'cut'): Reply {
  return async (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' })
    response.flushHeaders()
    for (const piece of pieces) {
      response.write(piece)
      // In a packet of its own.
      await new Promise((resolve) => setImmediate(resolve))
    }
    if (then === 'end') response.end()
    // What was written is to arrive first.
    else if (then === 'cut') response.socket?.end(() => response.destroy())
  }
}

/** One event as the server writes it. */
export function event(id: number, title = `task ${id}`): string {
  const at = '2025-12-15T12:00:31.168401Z'
  const data = { task: { id, title, status: 'todo' } }
  return `id: ${id}\ndata: ${JSON.stringify({ id: String(id), type: 'task_created', at, data })}\n\n`
}

export function resumed(after: number, recovered = true): string {
  return `data: ${JSON.stringify({ type: 'resumed', data: { after: String(after), recovered } })}\n\n`
}
