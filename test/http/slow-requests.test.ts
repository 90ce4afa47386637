import { once } from 'node:events'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Grant, PASSWORD, register, registerAdmin } from '../support/accounts.ts'
import { startTestApp, type TestApp } from '../support/app.ts'

let app: TestApp
let admin: Grant
beforeAll(async () => {
  app = await startTestApp({ AUTH_MODE: 'required' })
  admin = await registerAdmin(app, 'admin')
})
afterAll(() => app[Symbol.asyncDispose]())

/** Begins a request whose body comes only when `finish` is called; resolves once its caller is known. */
async function begin(method: string, path: string, token: string, body: object) {
  const bytes = JSON.stringify(body)
  const socket = connect(Number(new URL(app.url).port), '127.0.0.1')
  await once(socket, 'connect')
  const head = [
    `${method} ${path} HTTP/1.1`,
    'Host: localhost',
    'Connection: close',
    `Authorization: Bearer ${token}`,
    'Content-Type: application/json',
    `Content-Length: ${bytes.length}`,
    // Answered when the head has been read.
    'Expect: 100-continue',
  ]
  socket.write(`${head.join('\r\n')}\r\n\r\n${bytes[0]}`)
  await once(socket, 'data')
  // What another request with the token does, this one has done before.
  await app.fetch('/auth/me', { headers: { authorization: `Bearer ${token}` } })
  return async () => {
    const answer = text(socket)
    socket.write(bytes.slice(1))
    return Number((await answer).split(' ')[1])
  }
}

const patch = (id: number, changes: object) =>
  app.send('PATCH', `/users/${id}`, changes, { authorization: `Bearer ${admin.access_token}` })

test('an admin who is demoted while the body arrives cannot promote themselves again', async () => {
  const { user, access_token } = await registerAdmin(app, 'mallory')
  const finish = await begin('PATCH', `/users/${user.id}`, access_token, { role: 'admin' })
  expect((await patch(user.id, { role: 'user' })).status).toBe(200)
  expect(await finish()).toBe(401)
  const [row] = await app.database.rows('SELECT role FROM users WHERE id = $1', [user.id])
  expect(row).toEqual({ role: 'user' })
})

test('an API token of a demoted admin cannot promote its owner', async () => {
  const { user, access_token } = await registerAdmin(app, 'trudy')
  const made = await app.send(
    'POST',
    '/auth/tokens',
    { name: 'x', scopes: ['read', 'write', 'admin'] },
    { authorization: `Bearer ${access_token}` },
  )
  const finish = await begin('PATCH', `/users/${user.id}`, made.body.token, { role: 'admin' })
  expect((await patch(user.id, { role: 'user' })).status).toBe(200)
  expect(await finish()).toBe(403)
})

test('a user who is disabled while the body arrives writes nothing', async () => {
  const { user, access_token } = await register(app, 'oscar')
  const finish = await begin('POST', '/tasks', access_token, { title: 'Late' })
  expect((await patch(user.id, { disabled: true })).status).toBe(200)
  expect(await finish()).toBe(401)
  expect(await app.database.rows('SELECT FROM tasks')).toEqual([])
})

test('a slow request of an allowed user is served', async () => {
  const { access_token } = await register(app, 'peggy')
  const finish = await begin('POST', '/auth/password', access_token, {
    current_password: PASSWORD,
    new_password: `${PASSWORD} and more`,
  })
  expect(await finish()).toBe(200)
})
