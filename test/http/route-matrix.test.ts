import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { expectDiscreet, state } from '../support/discretion.ts'
import { eventually } from '../support/eventually.ts'
import { freshCode } from '../support/owned-things.ts'
import { upgrade } from '../support/raw-request.ts'
import { type Caller, PASSWORD, startWorld, type World } from '../support/route-matrix.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'

/**
 * Who may do what: the answer to each caller. GET stands for HEAD too, WS for the handshake of a WebSocket, `**` for
 * all below that has no line of its own. Several answers are about the caller's own thing, that of another user, a
 * task or webhook of nobody, and one that does not exist; of importers and currencies, one that exists and one that
 * does not.
 *
 * anonymous and operator have no token, while access is required and open. bad is a token that is not, or no longer,
 * valid. reader and writer are API tokens of a user with one scope; the admin key, of an admin, has these two scopes.
 */
const table = `
route                       | anonymous | operator        | bad | user            | admin           | reader          | writer          | admin key
GET    /tasks               | 401       | 200             | 401 | 200             | 200             | 200             | 403             | 200
POST   /tasks               | 401       | 201             | 401 | 201             | 201             | 403             | 201             | 201
GET    /tasks.ics           | 401       | 200             | 401 | 200             | 200             | 200             | 403             | 200
GET    /calendar-feeds      | 401       | 401             | 401 | 200             | 200             | 200             | 403             | 200
POST   /calendar-feeds      | 401       | 401             | 401 | 201             | 201             | 403             | 403             | 403
DELETE /calendar-feeds/:id  | 401       | 401             | 401 | 204 404 404     | 204 404 404     | 403             | 403             | 403
GET    /tasks/export        | 401       | 200             | 401 | 200             | 200             | 200             | 403             | 200
POST   /tasks/batch         | 401       | 200             | 401 | 200             | 200             | 403             | 200             | 200
GET    /tasks/:id           | 401       | 200 200 200 404 | 401 | 200 403 403 404 | 200 200 200 404 | 200 403 403 404 | 403             | 200 200 200 404
PATCH  /tasks/:id           | 401       | 200 200 200 404 | 401 | 200 403 403 404 | 200 200 200 404 | 403             | 200 403 403 404 | 200 200 200 404
PUT    /tasks/:id           | 401       | 200 200 200 404 | 401 | 200 403 403 404 | 200 200 200 404 | 403             | 200 403 403 404 | 200 200 200 404
DELETE /tasks/:id           | 401       | 204 204 204 404 | 401 | 204 403 403 404 | 204 204 204 404 | 403             | 204 403 403 404 | 204 204 204 404
POST   /tasks/:id/restore   | 401       | 200 200 200 404 | 401 | 200 403 403 404 | 200 200 200 404 | 403             | 200 403 403 404 | 200 200 200 404
GET    /analytics           | 401       | 200             | 401 | 200             | 200             | 200             | 403             | 200
GET    /currencies          | 401       | 200             | 401 | 200             | 200             | 200             | 403             | 200
POST   /currencies          | 401       | 201             | 401 | 403             | 201             | 403             | 403             | 201
GET    /currencies/convert  | 401       | 200             | 401 | 200             | 200             | 200             | 403             | 200
GET    /currencies/:key     | 401       | 200 404         | 401 | 200 404         | 200 404         | 200 404         | 403             | 200 404
PATCH  /currencies/:key     | 401       | 200 404         | 401 | 403             | 200 404         | 403             | 403             | 200 404
DELETE /currencies/:key     | 401       | 204 404         | 401 | 403             | 204 404         | 403             | 403             | 204 404
GET    /currencies/:key/history | 401   | 200 404         | 401 | 200 404         | 200 404         | 200 404         | 403             | 200 404
GET    /currencies/:key/series  | 401   | 200 404         | 401 | 200 404         | 200 404         | 200 404         | 403             | 200 404
POST   /tasks/:id/retry     | 401       | 200 200 200 404 | 401 | 200 403 403 404 | 200 200 200 404 | 403             | 200 403 403 404 | 200 200 200 404
POST   /tasks/:id/cancel    | 401       | 200 200 200 404 | 401 | 200 403 403 404 | 200 200 200 404 | 403             | 200 403 403 404 | 200 200 200 404
GET    /tasks/:id/runs      | 401       | 200 200 200 404 | 401 | 200 403 403 404 | 200 200 200 404 | 200 403 403 404 | 403             | 200 200 200 404
GET    /queue               | 401       | 200             | 401 | 200             | 200             | 200             | 403             | 200
GET    /tasks/:id/attachments      | 401 | 200 200 200 404 | 401 | 200 403 403 404 | 200 200 200 404 | 200 403 403 404 | 403             | 200 200 200 404
POST   /tasks/:id/attachments      | 401 | 201 201 201 404 | 401 | 201 403 403 404 | 201 201 201 404 | 403             | 201 403 403 404 | 201 201 201 404
GET    /tasks/:id/attachments/:aid | 401 | 200 200 200 404 | 401 | 200 403 403 404 | 200 200 200 404 | 200 403 403 404 | 403             | 200 200 200 404
DELETE /tasks/:id/attachments/:aid | 401 | 204 204 204 404 | 401 | 204 403 403 404 | 204 204 204 404 | 403             | 204 403 403 404 | 204 204 204 404
GET    /importers           | 401       | 200             | 401 | 403             | 200             | 403             | 403             | 200
GET    /importers/:name/runs| 401       | 200 404         | 401 | 403             | 200 404         | 403             | 403             | 200 404
POST   /importers/:name/run | 401       | 200 404         | 401 | 403             | 200 404         | 403             | 403             | 200 404
POST   /task-generator/run  | 401       | 200             | 401 | 403             | 200             | 403             | 403             | 200
POST   /tasks/run           | 401       | 202             | 401 | 403             | 202             | 403             | 403             | 202
POST   /test/nats           | 401       | 503             | 401 | 403             | 503             | 403             | 403             | 503
GET    /users               | 401       | 200             | 401 | 403             | 200             | 403             | 403             | 403
PATCH  /users/:id           | 401       | 200 200 404     | 401 | 403             | 200 200 404     | 403             | 403             | 403
GET    /webhooks            | 401       | 200             | 401 | 200             | 200             | 200             | 403             | 200
POST   /webhooks            | 401       | 201             | 401 | 201             | 201             | 403             | 403             | 201
GET    /webhooks/:id        | 401       | 200 200 200 404 | 401 | 200 403 403 404 | 200 200 200 404 | 200 403 403 404 | 403             | 200 200 200 404
PATCH  /webhooks/:id        | 401       | 200 200 200 404 | 401 | 200 403 403 404 | 200 200 200 404 | 403             | 403             | 200 200 200 404
DELETE /webhooks/:id        | 401       | 204 204 204 404 | 401 | 204 403 403 404 | 204 204 204 404 | 403             | 204 403 403 404 | 204 204 204 404
POST   /webhooks/:id/secret | 401       | 200 200 200 404 | 401 | 200 403 403 404 | 200 200 200 404 | 403             | 403             | 200 200 200 404
POST   /webhooks/:id/test   | 401       | 202 202 202 404 | 401 | 202 403 403 404 | 202 202 202 404 | 403             | 403             | 202 202 202 404
GET    /webhooks/:id/deliveries | 401       | 200 200 200 404 | 401 | 200 403 403 404 | 200 200 200 404 | 200 403 403 404 | 403             | 200 200 200 404
GET    /webhooks/:id/deliveries/:delivery | 401       | 200 200 200 404 | 401 | 200 403 403 404 | 200 200 200 404 | 200 403 403 404 | 403             | 200 200 200 404
POST   /webhooks/:id/deliveries/:delivery/redeliver | 401       | 202 202 202 404 | 401 | 202 403 403 404 | 202 202 202 404 | 403             | 403             | 202 202 202 404
POST   /auth/register       | 201       | 201             | 201 | 201             | 201             | 201             | 201             | 201
POST   /auth/login          | 200       | 200             | 200 | 200             | 200             | 200             | 200             | 200
POST   /auth/refresh        | 200       | 200             | 200 | 200             | 200             | 200             | 200             | 200
POST   /auth/logout         | 401       | 401             | 401 | 204             | 204             | 403             | 403             | 403
GET    /auth/me             | 401       | 401             | 401 | 200             | 200             | 200             | 403             | 200
POST   /auth/password       | 401       | 401             | 401 | 200             | 200             | 403             | 403             | 403
GET    /auth/sessions       | 401       | 401             | 401 | 200             | 200             | 200             | 403             | 200
DELETE /auth/sessions/:id   | 401       | 401             | 401 | 204 404 404     | 204 404 404     | 403             | 403             | 403
GET    /auth/tokens         | 401       | 401             | 401 | 200             | 200             | 200             | 403             | 200
POST   /auth/tokens         | 401       | 401             | 401 | 201             | 201             | 403             | 403             | 403
DELETE /auth/tokens/:id     | 401       | 401             | 401 | 204 404 404     | 204 404 404     | 403             | 403             | 403
POST   /auth/ticket         | 401       | 201             | 401 | 201             | 201             | 201             | 403             | 201
GET    /auth/setup          | 401       | 401             | 401 | 401             | 401             | 401             | 401             | 401
POST   /auth/setup          | 401       | 401             | 401 | 401             | 401             | 401             | 401             | 401
GET    /ws                  | 401       | 426             | 401 | 426             | 426             | 426             | 426             | 426
GET    /ws/currencies       | 401       | 426             | 401 | 426             | 426             | 426             | 426             | 426
GET    /ws/tasks            | 401       | 426             | 401 | 426             | 426             | 426             | 426             | 426
WS     /ws                  | open      | open            | 401 | open            | open            | open            | 403             | open
WS     /ws/currencies       | open      | open            | 401 | open            | open            | open            | 403             | open
WS     /ws/tasks            | open      | open            | 401 | open            | open            | open            | 403             | open
GET    /events              | 401       | 200             | 401 | 200             | 200             | 200             | 403             | 200
GET    /asyncapi.json       | 401       | 200             | 401 | 200             | 200             | 200             | 200             | 200
GET    /                    | 302       | 302             | 302 | 302             | 302             | 302             | 302             | 302
GET    /health              | 200       | 200             | 200 | 200             | 200             | 200             | 200             | 200
GET    /health/ready        | 200       | 200             | 200 | 200             | 200             | 200             | 200             | 200
GET    /metrics             | 401       | 200             | 401 | 403             | 200             | 403             | 403             | 200
GET    /openapi.json        | 200       | 200             | 200 | 200             | 200             | 200             | 200             | 200
GET    /docs/static/index.html    | 302 | 302 | 302 | 302 | 302 | 302 | 302 | 302
GET    /swagger/static/index.html | 302 | 302 | 302 | 302 | 302 | 302 | 302 | 302
GET    /docs/**             | 200       | 200             | 200 | 200             | 200             | 200             | 200             | 200
GET    /swagger/**          | 200       | 200             | 200 | 200             | 200             | 200             | 200             | 200
GET    /redoc/**            | 200       | 200             | 200 | 200             | 200             | 200             | 200             | 200
`

const [header, ...lines] = table
  .trim()
  .split('\n')
  .map((line) => line.split('|').map((cell) => cell.trim()))
const rows = lines.map(([route, ...cells]) => {
  const [method, path] = route!.split(/ +/) as [string, string]
  const expected = Object.fromEntries(cells.map((cell, i) => [header![i + 1], cell.split(' ')]))
  return { method, path, expected: expected as Record<string, string[]> }
})

/** What a route with a parameter is asked about, in the order of the table. */
function thingsOf(path: string): string[] {
  if (/^\/(tasks|webhooks)\/:/.test(path)) return ['own', 'foreign', "nobody's", 'absent']
  if (path.startsWith('/importers/') || path.startsWith('/currencies/:')) return ['known', 'absent']
  return path.includes(':') ? ['own', 'foreign', 'absent'] : ['']
}

/** Bodies with which each is done that may be done. */
const bodies: Record<string, (world: World, caller: Caller) => unknown> = {
  'POST /tasks': () => ({ title: 'New' }),
  'POST /tasks/batch': () => ({ operations: [{ op: 'create', task: { title: 'New' } }] }),
  'PATCH /tasks/:id': () => ({ title: 'Changed' }),
  'PUT /tasks/:id': () => ({ title: 'Replaced' }),
  'POST /tasks/:id/attachments': () => {
    const form = new FormData()
    form.append('file', new Blob(['content']), 'file.txt')
    return form
  },
  'PATCH /users/:id': () => ({ role: 'admin' }),
  'POST /webhooks': () => ({ url: 'https://receiver.invalid/', types: ['background_task_failed'] }),
  'PATCH /webhooks/:id': () => ({ description: 'Changed' }),
  'POST /currencies': () => ({ currency: freshCode(), rate: 1 }),
  'PATCH /currencies/:key': () => ({ rate: 2 }),
  'POST /auth/register': () => ({ username: randomUUID(), password: PASSWORD }),
  'POST /auth/login': () => ({ username: 'anna', password: PASSWORD }),
  'POST /auth/refresh': async ({ request }) => {
    const { text } = await request('POST', '/auth/login', { body: { username: 'anna', password: PASSWORD } })
    return { refresh_token: JSON.parse(text).refresh_token }
  },
  'POST /auth/password': () => ({ current_password: PASSWORD, new_password: PASSWORD }),
  'POST /auth/tokens': () => ({ name: 'New', scopes: ['read'] }),
  'POST /calendar-feeds': () => ({ name: 'New' }),
  'POST /auth/setup': ({ setupToken: token }) => ({ token, username: 'mallory', password: PASSWORD }),
}

let upstream: Upstream
beforeAll(async () => {
  upstream = await startUpstream()
})
afterAll(() => upstream[Symbol.asyncDispose]())

/** The registered paths that a line of the table is about. */
function pathsOf({ routes }: World['app'], path: string): string[] {
  if (!path.endsWith('/**')) return routes.has(path) ? [path] : []
  const prefix = path.slice(0, -3)
  return [...routes.keys()].filter(
    (one) => (one === prefix || one.startsWith(`${prefix}/`)) && !rows.some(({ path }) => path === one),
  )
}

const methodsOf = (method: string) => (method === 'GET' ? ['GET', 'HEAD'] : [method])

/** The path to ask, about a thing that is made for it. */
async function addressOf(world: World, path: string, thing: string, { user }: Caller): Promise<string> {
  const { anna, boris } = world.users
  if (path === '/auth/setup') return `${path}?token=${world.setupToken}`
  if (path.startsWith('/importers/')) return path.replace(':name', thing === 'known' ? 'todos' : 'nobody')
  if (path === '/currencies/convert') return `${path}?from=RUB&to=RUB&amount=1`
  if (thing === '') return path.replace('*', 'swagger-ui.css')
  if (path.startsWith('/currencies/'))
    return path.replace(':key', thing === 'known' ? await world.make(path, null) : 'ZZZ')
  const about = (id: string, inner = id) => path.replace(/:(id|delivery)/g, id).replace(':aid', inner)
  if (thing === 'absent') return about(path.includes('/sessions/') ? randomUUID() : '2147483647')
  if (thing === 'own' && user && path.startsWith('/users/')) return about(String(user.id))
  const owner =
    thing === 'own' ? (user ?? anna) : thing === 'foreign' ? (user === boris ? anna : boris) : null
  const [id, inner] = (await world.make(path, owner)).split(' ')
  return about(id!, inner)
}

describe.each(['required', 'open'] as const)('while access is %s', (mode) => {
  let world: World
  beforeAll(async () => {
    world = await startWorld(mode, upstream.url)
  })
  afterAll(() => world[Symbol.asyncDispose]())

  test('every registered route has its line, and every line its route', () => {
    const { app } = world
    const registered = [...app.routes].flatMap(([path, methods]) =>
      [...methods].map((method) => `${method} ${path}`),
    )
    const lines = rows.filter(({ method }) => method !== 'WS')
    const expected = lines.flatMap(({ method, path }) => {
      const paths = pathsOf(app, path)
      return (paths.length > 0 ? paths : [path]).flatMap((one) =>
        methodsOf(method).map((each) => `${each} ${one}`),
      )
    })
    expect(registered.sort()).toEqual(expected.sort())
    const upgraded = lines.filter(({ expected }) => Object.values(expected).flat().includes('426'))
    const sockets = rows.filter(({ method }) => method === 'WS')
    expect(sockets.map(({ path }) => path)).toEqual(upgraded.map(({ path }) => path))
  })

  test('every column has its caller, and every cell one answer or one for each thing', () => {
    const without = mode === 'open' ? 'anonymous' : 'operator'
    const columns = new Set(world.callers.map(({ column }) => column)).add(without)
    for (const { path, expected } of rows) {
      expect(new Set(Object.keys(expected))).toEqual(columns)
      for (const { length } of Object.values(expected)) expect([1, thingsOf(path).length]).toContain(length)
    }
  })

  test.each(rows)('$method $path', async ({ method, path, expected }) => {
    const questions: Question[] = []
    for (const caller of world.callers) {
      const cell = expected[caller.column]!
      for (const one of pathsOf(world.app, path)) {
        for (const each of methodsOf(method)) {
          for (const [i, thing] of thingsOf(one).entries()) {
            const wanted = (cell[i] ?? cell[0])!
            questions.push({ method: each, path: one, thing, caller, wanted })
          }
        }
      }
    }
    const [quiet, changing] = partition(questions, changesNothing)
    const asked: Prepared[] = []
    for (const question of quiet) asked.push(await prepare(world, question))
    const before = await state(world)
    const wrong = await answers(world, asked)
    expect(wrong).toEqual([])
    expect(await state(world)).toEqual(before)
    for (const question of changing) wrong.push(...(await answers(world, [await prepare(world, question)])))
    expect(wrong).toEqual([])
  })
})

interface Question {
  method: string
  path: string
  thing: string
  caller: Caller
  wanted: string
}

interface Prepared extends Question {
  address: string
  body: unknown
  token: string | undefined
}

/** What is refused or only read. */
const changesNothing = ({ method, wanted }: Question) =>
  Number(wanted) >= 400 || ['GET', 'HEAD', 'WS'].includes(method)

function partition<T>(all: readonly T[], isFirst: (one: T) => boolean): [T[], T[]] {
  return [all.filter(isFirst), all.filter((one) => !isFirst(one))]
}

/** Makes the thing that is asked about, and what it is asked with. */
async function prepare(world: World, question: Question): Promise<Prepared> {
  const { method, path, thing, caller } = question
  const address = await addressOf(world, path, thing, caller)
  const body = await bodies[`${method} ${path}`]?.(world, caller)
  return { ...question, address, body, token: await caller.token() }
}

async function answers(world: World, asked: readonly Prepared[]): Promise<string[]> {
  const wrong: string[] = []
  for (const question of asked) {
    const { method, path, thing, caller, wanted } = question
    const status = await ask(world, question)
    if (status !== wanted)
      wrong.push(`${caller.column} (${caller.name}): ${method} ${path} ${thing} is ${status}, not ${wanted}`)
  }
  return wrong
}

/** The status, after a look at the answer. */
async function ask(world: World, { method, address, body, token, caller }: Prepared): Promise<string> {
  if (method === 'WS') {
    const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` }
    return String(await upgrade(world.app, address, headers))
  }
  const reply = await world.request(method, address, { token, body })
  expectDiscreet(reply, method, address, caller)
  if (reply.status === 202) {
    const running = "SELECT FROM import_runs WHERE state = 'running'"
    await eventually(async () => (await world.app.database.rows(running)).length === 0, 'it is over')
  }
  return String(reply.status)
}
