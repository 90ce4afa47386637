import { once } from 'node:events'
import { type IncomingHttpHeaders, request } from 'node:http'
import { text } from 'node:stream/consumers'
import { WebSocket } from 'ws'
import type { TestApp } from './app.ts'

interface Raw {
  status: number
  headers: IncomingHttpHeaders
  body: string
}

/** A request with headers that fetch would not let through, such as Host; all but GET send a task. */
export async function raw(
  app: TestApp,
  method: string,
  path: string,
  headers: Record<string, string>,
): Promise<Raw> {
  const { port } = new URL(app.url)
  const outgoing = request({ host: '127.0.0.1', port, path, method, headers })
  outgoing.end(method === 'GET' ? undefined : '{"title":"x"}')
  const [incoming] = await once(outgoing, 'response')
  return { status: incoming.statusCode, headers: incoming.headers, body: await text(incoming) }
}

/** Whether a WebSocket opens, or the status it is refused with. */
export async function upgrade(
  app: TestApp,
  path: string,
  headers: Record<string, string>,
): Promise<'open' | number> {
  const socket = new WebSocket(app.url.replace('http', 'ws') + path, { headers })
  const { promise, resolve, reject } = Promise.withResolvers<'open' | number>()
  socket.on('open', () => resolve('open'))
  socket.on('unexpected-response', (outgoing, { statusCode }) => {
    resolve(statusCode!)
    outgoing.destroy()
  })
  socket.on('error', reject)
  const result = await promise
  socket.terminate()
  return result
}

/** Every operation of the OpenAPI document as method and path, its parameters filled in. */
export async function operations(app: TestApp): Promise<[string, string][]> {
  const { body } = await app.fetch('/openapi.json')
  const paths = Object.entries(body.paths as Record<string, object>)
  return paths.flatMap(([path, item]) =>
    Object.keys(item).map((method): [string, string] => [
      method.toUpperCase(),
      path.replace('{name}', 'todos').replace('{key}', 'USD').replace(/{\w+}/g, '1'),
    ]),
  )
}

/** Served without a token, whatever the mode. */
export const isPublic = (path: string) => path.startsWith('/health')
