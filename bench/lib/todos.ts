import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Todos in the source's shape, the same each time. */
export function makeTodos(count: number): object[] {
  return Array.from({ length: count }, (_, i) => ({
    userId: (i % 10) + 1,
    id: i + 1,
    title: `delectus aut autem quis ut nam facilis ${i + 1}`,
    completed: i % 3 === 0,
  }))
}

/** A local stand-in for the todo source. */
export async function startTodoSource(count: number): Promise<AsyncDisposable & { url: string }> {
  const body = JSON.stringify(makeTodos(count))
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end(body)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/todos`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
    },
  }
}
