import { expect, onTestFinished, test } from 'vitest'
import { bearer, type Grant } from '../support/accounts.ts'
import { createTestDatabase } from '../support/database.ts'
import { listen } from '../support/listener.ts'
import { redisUrl } from '../support/redis.ts'
import { claimRedisDatabase } from '../support/redis-database.ts'
import { type Server, startServer, stop } from '../support/server.ts'

/** The requests of document D as they are printed there; only host, port, ids and tokens differ. */

interface Task {
  id: number
  title: string
  description: string | null
  status: string
  user_id: number
}

/** Sends what is printed, and reads the answer. */
async function call(server: Server, method: string, path: string, body?: string, token?: string) {
  const response = await fetch(server.url + path, {
    method,
    headers: {
      ...(body !== undefined && { 'Content-Type': 'application/json' }),
      ...(token !== undefined && bearer(token)),
    },
    ...(body !== undefined && { body }),
  })
  const text = await response.text()
  return {
    status: response.status,
    type: response.headers.get('content-type'),
    text,
    body: text && JSON.parse(text),
  }
}

/** A user of document D on `server`: what they do, each as a request of the document. */
function client(server: Server) {
  let access = ''
  let refresh = ''
  const keep = (grant: Grant) => {
    expect(grant).toMatchObject({
      access_token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
      refresh_token: expect.stringMatching(/\w/),
      token_type: 'bearer',
    })
    access = grant.access_token
    refresh = grant.refresh_token
    return grant
  }
  const credentials = (username: string, password: string) =>
    `{ "username": "${username}", "password": "${password}" }`
  const taskBody = (title: string, description: string, status: string) =>
    `{ "title": "${title}", "description": "${description}", "status": "${status}" }`
  return {
    register: async (username: string, password: string) => {
      const answer = await call(server, 'POST', '/auth/register', credentials(username, password))
      return answer.status === 201 ? { ...answer, body: keep(answer.body) } : answer
    },
    login: async (username: string, password: string) => {
      const answer = await call(server, 'POST', '/auth/login', credentials(username, password))
      return answer.status === 200 ? { ...answer, body: keep(answer.body) } : answer
    },
    refresh: async (token = refresh) => {
      const answer = await call(server, 'POST', '/auth/refresh', `{ "refresh_token": "${token}" }`)
      return answer.status === 200 ? { ...answer, body: keep(answer.body) } : answer
    },
    create: (title: string, description: string, status: string) =>
      call(server, 'POST', '/tasks/', taskBody(title, description, status), access),
    list: () => call(server, 'GET', '/tasks/', undefined, access),
    replace: (id: number, title: string, description: string, status: string) =>
      call(server, 'PUT', `/tasks/${id}`, taskBody(title, description, status), access),
    remove: (id: number) => call(server, 'DELETE', `/tasks/${id}`, undefined, access),
    tokens: () => ({ access, refresh }),
    /** The same user, at another server. */
    use: (tokens: { access: string; refresh: string }) => {
      access = tokens.access
      refresh = tokens.refresh
    },
  }
}

/** The variables of the document, of a database and, for its half of the tests, a Redis of this test's own. */
async function environment(withRedis: boolean): Promise<Record<string, string>> {
  const stack = new AsyncDisposableStack()
  onTestFinished(() => stack.disposeAsync())
  const database = stack.use(await createTestDatabase())
  return {
    DATABASE_URL: database.url.replace(/^postgres(ql)?:/, 'postgresql+asyncpg:'),
    SECRET_KEY: 'secret-key-of-document-d-with-enough-bytes',
    ACCESS_TOKEN_EXPIRE_MINUTES: '15',
    REFRESH_TOKEN_EXPIRE_MINUTES: '10080',
    // The containers of the document listen on all addresses, where a token is needed.
    AUTH_MODE: 'required',
    ...(withRedis && { REDIS_URL: stack.use(await claimRedisDatabase()).url }),
  }
}

const stores: [string, boolean][] = [['the database', false]]
if (redisUrl) stores.push(['Redis', true])

test.each(stores)('the whole tour of document D, with refresh tokens in %s', async (_store, withRedis) => {
  const server = await startServer(await environment(withRedis))
  const [ivan, olga] = [client(server), client(server)]

  // POST /auth/register: Ответ: Токен доступа.
  const registered = await ivan.register('ivan', 'пароль-ивана-1')
  expect(registered.status).toBe(201)
  expect((await ivan.list()).body).toEqual([])
  expect((await ivan.register('ivan', 'пароль-ивана-1')).status).toBe(409)

  // POST /auth/login: Ответ: токены доступа и обновления.
  const login = await ivan.login('ivan', 'пароль-ивана-1')
  expect(login.status).toBe(200)
  expect(login.body).toMatchObject({ expires_in: 15 * 60, user: { username: 'ivan', role: 'user' } })
  for (const [username, password] of [
    ['ivan', 'не тот пароль'],
    ['nobody', 'пароль-ивана-1'],
  ] as const) {
    const refused = await client(server).login(username, password)
    expect(refused).toMatchObject({ status: 401, type: expect.stringMatching(/^application\/problem\+json/) })
    expect(refused.body.detail).toBe('The user name or the password is wrong.')
  }

  // POST /tasks/, with each status that the API knows; "<статус>" as document C writes it, too.
  const statuses = [
    ['todo', 'todo'],
    ['in_progress', 'in_progress'],
    ['done', 'done'],
    ['New', 'todo'],
    ['In Progress', 'in_progress'],
  ] as const
  const made: Task[] = []
  for (const [given, kept] of statuses) {
    const created = await ivan.create(`Задача ${given}`, 'Описание', given)
    expect(created.status).toBe(201)
    expect(created.body).toMatchObject({
      id: expect.any(Number),
      title: `Задача ${given}`,
      description: 'Описание',
      status: kept,
      user_id: login.body.user.id,
    })
    made.push(created.body)
  }
  expect((await ivan.create('Задача', 'Описание', 'нет такого')).status).toBe(422)

  // GET /tasks/: all tasks of the current user.
  await olga.register('olga', 'пароль-ольги-1')
  const hers: Task = (await olga.create('Задача Ольги', 'Её', 'todo')).body
  expect((await ivan.list()).body).toEqual(made)
  expect((await olga.list()).body).toEqual([hers])

  // PUT /tasks/{task_id}
  const [first] = made
  const replaced = await ivan.replace(first!.id, 'Новое название', 'Новое описание', 'done')
  expect(replaced.status).toBe(200)
  expect(replaced.body).toMatchObject({
    ...first,
    ...{ title: 'Новое название', description: 'Новое описание' },
    status: 'done',
    completed: true,
    version: 2,
    updated_at: expect.any(String),
  })

  // Nothing of somebody else's.
  for (const { status } of [await ivan.replace(hers.id, 'Моё', 'Моё', 'done'), await ivan.remove(hers.id)])
    expect(status).toBe(403)
  expect((await olga.list()).body).toEqual([hers])

  // DELETE /tasks/{task_id}: HTTP 204 Нет содержимого.
  const removed = await ivan.remove(first!.id)
  expect([removed.status, removed.text]).toEqual([204, ''])
  expect((await ivan.remove(first!.id)).status).toBe(404)
  expect((await ivan.list()).body).toEqual(made.slice(1))

  // POST /auth/refresh: Ответ: Новый токен доступа.
  const before = ivan.tokens()
  expect((await ivan.refresh()).status).toBe(200)
  expect(ivan.tokens().refresh).not.toBe(before.refresh)
  expect((await ivan.list()).body).toEqual(made.slice(1))
  expect((await ivan.refresh(before.access)).status).toBe(401)

  // Without a token, or with another than an access token, nothing.
  const { refresh } = ivan.tokens()
  for (const token of [undefined, refresh, 'x']) {
    for (const [method, path] of [
      ['GET', '/tasks/'],
      ['POST', '/tasks/'],
      ['PUT', `/tasks/${hers.id}`],
      ['DELETE', `/tasks/${hers.id}`],
    ] as const) {
      const body = method === 'POST' || method === 'PUT' ? '{"title": "x"}' : undefined
      expect((await call(server, method, path, body, token)).status).toBe(401)
    }
  }

  // Документация предоставляется через Swagger.
  const docs = await fetch(`${server.url}/docs`)
  expect([docs.status, docs.headers.get('content-type')]).toEqual([200, expect.stringMatching(/^text\/html/)])
  // The log is whole when the server has ended.
  expect(await stop(server)).toMatchObject({ code: 0 })
  for (const secret of ['пароль-ивана-1', 'пароль-ольги-1', before.access, before.refresh])
    expect(server.out.join('\n')).not.toContain(secret)
  // Besides the log, stdout has the link with which the first admin is made.
  const levels = server.out.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line).level)
  expect(new Set(levels)).toEqual(new Set(['info']))
})

test.each(stores)('two servers are one, with refresh tokens in %s', async (_store, withRedis) => {
  const settings = { ...(await environment(withRedis)), RATE_LIMIT_PER_MINUTE: '60' }
  const servers = await Promise.all([startServer(settings), startServer(settings)])
  const [here, there] = [client(servers[0]), client(servers[1])]
  await here.register('ivan', 'пароль-ивана-1')
  expect((await there.register('Ivan', 'пароль-ивана-1')).status).toBe(409)
  const registered = here.tokens()
  there.use(registered)

  // What is written on one is read, and told, on the other.
  const ticket = await call(servers[1], 'POST', '/auth/ticket', undefined, registered.access)
  const listener = await listen(`${servers[1].ws}/ws?ticket=${ticket.body.ticket}`)
  const { body: task } = await here.create('Задача', 'Описание', 'todo')
  expect((await there.list()).body).toEqual([task])
  const { body: replaced } = await there.replace(task.id, 'Другая', 'Описание', 'done')
  expect((await here.list()).body).toEqual([replaced])
  await expect.poll(() => listener.events.map(({ data }) => data.task)).toEqual([task, replaced])

  // A refresh token is spent everywhere: the turns go on in one line, and the one before the last ends it.
  for (const turn of [there, here, there, here]) {
    turn.use((turn === here ? there : here).tokens())
    expect((await turn.refresh()).status).toBe(200)
  }
  const live = here.tokens()
  expect((await there.refresh(registered.refresh)).status).toBe(401)
  expect((await here.refresh(live.refresh)).status).toBe(401)
  await expect.poll(async () => (await here.list()).status).toBe(401)
  await expect.poll(async () => (await there.list()).status).toBe(401)

  // The limit is one for both where they share Redis, else each has its own.
  await here.login('ivan', 'пароль-ивана-1')
  there.use(here.tokens())
  const answers = await Promise.all(Array.from({ length: 60 }, (_, i) => (i % 2 ? here : there).list()))
  const allowed = answers.filter(({ status }) => status === 200).length
  expect(answers.filter(({ status }) => status !== 200 && status !== 429)).toEqual([])
  if (withRedis) expect(allowed).toBeLessThan(60)
  else expect(allowed).toBe(60)
})
