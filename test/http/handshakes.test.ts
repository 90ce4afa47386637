import { once } from 'node:events'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../support/app.ts'
import { eventually } from '../support/eventually.ts'
import { upgrade } from '../support/raw-request.ts'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app[Symbol.asyncDispose]())

/** What comes back for a request with these headers; the connection is to be closed by the server. */
async function answered(
  path: string,
  headers: string[],
): Promise<{ status: number; type: string; body: string }> {
  const { port } = new URL(app.url)
  const socket = connect(Number(port), '127.0.0.1')
  await once(socket, 'connect')
  socket.end([`GET ${path} HTTP/1.1`, 'Host: localhost', ...headers, '', ''].join('\r\n'))
  const answer = await text(socket)
  return {
    status: Number(/^HTTP\/1\.1 (\d+)/.exec(answer)![1]),
    type: /^content-type: (.*)$/im.exec(answer)![1]!.trim(),
    body: answer.slice(answer.indexOf('\r\n\r\n') + 4),
  }
}
const websocket = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13']
const key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='

test.each([
  ['of another version', ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 7', key]],
  ['without a key', websocket],
  ['with a key that is none', [...websocket, 'Sec-WebSocket-Key: x']],
])('a handshake %s is answered by problem details', async (_, headers) => {
  const { status, type, body } = await answered('/ws/tasks', headers)
  expect([status, type]).toEqual([400, 'application/problem+json; charset=utf-8'])
  expect(JSON.parse(body)).toMatchObject({ status: 400, title: 'Bad Request' })
})

test('who does not hang up after a refused handshake is hung up on', async () => {
  const { port } = new URL(app.url)
  const socket = connect({ port: Number(port), host: '127.0.0.1', allowHalfOpen: true })
  let isCut = false
  socket.on('error', () => {
    isCut = true
  })
  socket.write(['GET /ws/tasks HTTP/1.1', 'Host: localhost', ...websocket, '', ''].join('\r\n'))
  socket.resume()
  await once(socket, 'end')
  await eventually(() => {
    if (!isCut) socket.write('x')
    return isCut
  }, 'what is sent now is refused')
  socket.destroy()
})

test('no WebSocket opens where there is none', async () => {
  const paths = ['/tasks', '/tasks/1', '/health', '/docs', '/events', '/nowhere', '/wsx', '/ws/nowhere']
  expect(await Promise.all(paths.map((path) => upgrade(app, path, {})))).toEqual([
    400, 400, 400, 400, 400, 404, 404, 404,
  ])
  expect(await upgrade(app, '/ws/tasks/', {})).toBe('open')
})

test('an expectation that nobody knows is left unfulfilled', async () => {
  const { status, body } = await answered('/health', ['Expect: wonders', 'Connection: close'])
  expect([status, JSON.parse(body)]).toEqual([200, { status: 'healthy' }])
})
