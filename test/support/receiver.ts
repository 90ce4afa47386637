import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { Webhook } from 'standardwebhooks'

/** One message that a receiver got. */
export interface Received {
  /** `webhook-id` */
  id: string
  path: string
  headers: IncomingHttpHeaders
  body: string
  at: number
}

type Respond = (response: ServerResponse, received: Received, request: IncomingMessage) => void

export interface Receiver extends AsyncDisposable {
  /** Without a path. */
  url: string
  port: number
  received: Received[]
  /** Sets the response to later messages; the default is status 204. */
  answer(respond: number | Respond): void
  ids(path?: string): string[]
}

/** Starts a receiver of webhooks on a free port of this machine. */
export async function startReceiver(): Promise<Receiver> {
  let respond: Respond
  const receiver: Receiver = {
    url: '',
    port: 0,
    received: [],
    answer(as) {
      respond = typeof as === 'function' ? as : (response) => response.writeHead(as).end()
    },
    ids: (path) =>
      receiver.received.filter((one) => path === undefined || one.path === path).map(({ id }) => id),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  receiver.answer(204)
  const server = createServer(async (request, response) => {
    response.on('error', () => {}) // Some tests disconnect during a request.
    const body = await text(request).catch(() => undefined)
    if (body === undefined) return
    const { url, headers } = request
    const received = { id: String(headers['webhook-id']), path: url!, headers, body, at: Date.now() }
    receiver.received.push(received)
    respond(response, received, request)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  receiver.port = (server.address() as AddressInfo).port
  receiver.url = `http://127.0.0.1:${receiver.port}`
  return receiver
}

/** Verifies a message with the reference implementation of Standard Webhooks and returns it; throws if it is invalid. */
export function verified(secret: string, { body, headers }: Received): unknown {
  return new Webhook(secret).verify(body, headers as Record<string, string>)
}
