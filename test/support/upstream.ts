import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Todo {
  userId: number
  id: number
  title: string
  completed: boolean
}

const titles = [
  'delectus aut autem',
  'quis ut nam facilis et officia qui',
  'fugiat veniam minus',
  'et porro tempora',
  'laboriosam mollitia et enim quasi adipisci quia provident illum',
  'qui ullam ratione quibusdam voluptatem quia omnis',
  'illo expedita consequatur quia in',
  'quo adipisci enim quam ut ab',
  'molestiae perspiciatis ipsa',
  'illo est ratione doloremque quia maiores aut',
  'vero rerum temporibus dolor',
  'ipsa repellendus fugit nisi',
  'et doloremque nulla',
  'repellendus sunt dolores architecto voluptatum',
  'ab voluptatum amet voluptas',
  'accusamus eos facilis sint et aut voluptatem',
  'quo laboriosam deleniti aut qui',
  'dolorum est consequatur ea mollitia in culpa',
  'molestiae ipsa aut voluptatibus pariatur dolor nihil',
  'ullam nobis libero sapiente ad optio sint',
]
const done = new Set([4, 8, 10, 11, 12, 14, 15, 16, 17, 19, 20])

/** The first twenty todos of jsonplaceholder.typicode.com. */
export const recordedTodos: readonly Todo[] = titles.map((title, index) => ({
  userId: 1,
  id: index + 1,
  title,
  completed: done.has(index + 1),
}))

export interface Upstream extends AsyncDisposable {
  /** Where the todos are. */
  url: string
  /** Requests that have come. */
  requests: number
  /** Answers with these todos, or as `listener` does. */
  answer(with_: readonly object[] | RequestListener): void
}

/** A todo source on a free port of this machine; at first it has the recorded todos. */
export async function startUpstream(): Promise<Upstream> {
  let listener: RequestListener
  const upstream: Upstream = {
    url: '',
    requests: 0,
    answer(with_) {
      listener = typeof with_ === 'function' ? with_ : (_request, response) => sendJson(response, with_)
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  const server = createServer((request, response) => {
    upstream.requests++
    response.on('error', () => {}) // Clients here go away in the middle.
    listener(request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  upstream.answer(recordedTodos)
  upstream.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/todos`
  return upstream
}

function sendJson(response: Parameters<RequestListener>[1], value: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json; charset=utf-8' }).end(JSON.stringify(value))
}
