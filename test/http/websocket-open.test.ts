import { afterEach, beforeEach, expect, test } from 'vitest'
import { bearer, register, registerAdmin } from '../support/accounts.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { eventually } from '../support/eventually.ts'
import { type Listener, listen } from '../support/listener.ts'

// While access is open a socket needs no token. One that sends a first message with a token all the same is a socket of
// that user from then on: a valid token is honoured in every mode, and one that is not valid never is the operator.

let app: TestApp
beforeEach(async () => {
  app = await startTestApp({ AUTH_MODE: 'open' })
})
afterEach(() => app[Symbol.asyncDispose]())

const connect = (path: string) => listen(app.url.replace('http', 'ws') + path)
const auth = (token: string) => JSON.stringify({ type: 'auth', token })
const titles = ({ events }: Listener) => events.flatMap(({ data }) => data.task?.title ?? [])

test.each(['', '?after=0'])('it is of that user from then on: /ws/tasks%s', async (query) => {
  const anna = await register(app, 'anna')
  const listener = await connect(`/ws/tasks${query}`)
  let written = 0
  async function write(count: number): Promise<void> {
    for (const end = written + count; written < end; written++) {
      const headers = written % 2 === 0 ? bearer(anna.access_token) : {}
      await app.send('POST', '/tasks', { title: `${written}` }, headers)
    }
  }
  const even = (from: number, to: number) =>
    Array.from({ length: (to - from) / 2 }, (_, i) => `${from + 2 * i}`)

  // Events come before, while and after it says who it is: its own all, once and in order.
  await write(10)
  const writing = write(60)
  listener.send(auth(anna.access_token))
  await writing
  await eventually(() => titles(listener).includes('68'), 'it has the last of its own')
  expect(titles(listener).filter((title) => Number(title) % 2 === 0)).toEqual(even(0, 70))
  const before = titles(listener).length
  await write(10)
  await eventually(() => titles(listener).includes('78'), 'it has the last of its own')
  expect(titles(listener).slice(before)).toEqual(even(70, 80))

  await app.fetch('/auth/logout', { method: 'POST', headers: bearer(anna.access_token) })
  expect(await listener.closed).toBe(4401)
})

test('a token that is not valid ends it; any other message is ignored', async () => {
  const [wrong, other] = await Promise.all([connect('/ws'), connect('/ws')])
  wrong.send(auth('garbage'))
  other.send('hello')
  expect(await wrong.closed).toBe(4401)
  await app.send('POST', '/tasks', { title: 'heard' })
  await eventually(() => titles(other).includes('heard'), 'the operator goes on')
  expect(titles(wrong)).toEqual([])
})

test('a token without the right to read ends it', async () => {
  const anna = await register(app, 'anna')
  const { body } = await app.send(
    'POST',
    '/auth/tokens',
    { name: 'x', scopes: ['write'] },
    bearer(anna.access_token),
  )
  const listener = await connect('/ws')
  listener.send(auth(body.token))
  expect(await listener.closed).toBe(4403)
})

test('an admin sees everything', async () => {
  const root = await registerAdmin(app, 'root')
  const listener = await connect('/ws')
  listener.send(auth(root.access_token))
  await app.send('POST', '/tasks', { title: 'of nobody' })
  await eventually(() => titles(listener).includes('of nobody'), 'it is told')
})
