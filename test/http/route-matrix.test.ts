import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { expectDiscreet, state } from '../support/discretion.ts'
import { eventually } from '../support/eventually.ts'
import { freshCode } from '../support/owned-things.ts'
import { upgrade } from '../support/raw-request.ts'
import { type Caller, PASSWORD, startWorld, type World } from '../support/route-matrix.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'

/**
 * Who may do what: the status that each caller gets. GET stands for HEAD too, WS for a WebSocket handshake, and `**` for
 * every path below that has no line of its own. Several statuses are for the caller's own resource, another user's,
 * a task or webhook without an owner, and one that does not exist; importers and currencies: one that exists and one
 * that does not.
 *
 * operator: no token, while access is open. reader and writer: API tokens of a user with one scope. admin key: an API
 * token of an admin with both scopes. The callers without a valid token follow from the route's `access`.
 */
const table = `
route                                               | operator        | user            | admin           | reader          | writer          | admin key
GET    /tasks                                       | 200             | 200             | 200             | 200             | 403             | 200
POST   /tasks                                       | 201             | 201             | 201             | 403             | 201             | 201
GET    /tasks.ics                                   | 200             | 200             | 200             | 200             | 403             | 200
GET    /calendar-feeds                              | 401             | 200             | 200             | 200             | 403             | 200
POST   /calendar-feeds                              | 401             | 201             | 201             | 403             | 403             | 403
DELETE /calendar-feeds/:id                          | 401             | 204 404 404     | 204 404 404     | 403             | 403             | 403
GET    /tasks/export                                | 200             | 200             | 200             | 200             | 403             | 200
POST   /tasks/batch                                 | 200             | 200             | 200             | 403             | 200             | 200
GET    /tasks/:id                                   | 200 200 200 404 | 200 403 403 404 | 200 200 200 404 | 200 403 403 404 | 403             | 200 200 200 404
PATCH  /tasks/:id                                   | 200 200 200 404 | 200 403 403 404 | 200 200 200 404 | 403             | 200 403 403 404 | 200 200 200 404
PUT    /tasks/:id                                   | 200 200 200 404 | 200 403 403 404 | 200 200 200 404 | 403             | 200 403 403 404 | 200 200 200 404
DELETE /tasks/:id                                   | 204 204 204 404 | 204 403 403 404 | 204 204 204 404 | 403             | 204 403 403 404 | 204 204 204 404
POST   /tasks/:id/restore                           | 200 200 200 404 | 200 403 403 404 | 200 200 200 404 | 403             | 200 403 403 404 | 200 200 200 404
GET    /analytics                                   | 200             | 200             | 200             | 200             | 403             | 200
GET    /currencies                                  | 200             | 200             | 200             | 200             | 403             | 200
POST   /currencies                                  | 201             | 403             | 201             | 403             | 403             | 201
GET    /currencies/convert                          | 200             | 200             | 200             | 200             | 403             | 200
GET    /currencies/:key                             | 200 404         | 200 404         | 200 404         | 200 404         | 403             | 200 404
PATCH  /currencies/:key                             | 200 404         | 403             | 200 404         | 403             | 403             | 200 404
DELETE /currencies/:key                             | 204 404         | 403             | 204 404         | 403             | 403             | 204 404
GET    /currencies/:key/history                     | 200 404         | 200 404         | 200 404         | 200 404         | 403             | 200 404
GET    /currencies/:key/series                      | 200 404         | 200 404         | 200 404         | 200 404         | 403             | 200 404
POST   /tasks/:id/retry                             | 200 200 200 404 | 200 403 403 404 | 200 200 200 404 | 403             | 200 403 403 404 | 200 200 200 404
POST   /tasks/:id/cancel                            | 200 200 200 404 | 200 403 403 404 | 200 200 200 404 | 403             | 200 403 403 404 | 200 200 200 404
GET    /tasks/:id/runs                              | 200 200 200 404 | 200 403 403 404 | 200 200 200 404 | 200 403 403 404 | 403             | 200 200 200 404
GET    /queue                                       | 200             | 200             | 200             | 200             | 403             | 200
GET    /tasks/:id/attachments                       | 200 200 200 404 | 200 403 403 404 | 200 200 200 404 | 200 403 403 404 | 403             | 200 200 200 404
POST   /tasks/:id/attachments                       | 201 201 201 404 | 201 403 403 404 | 201 201 201 404 | 403             | 201 403 403 404 | 201 201 201 404
GET    /tasks/:id/attachments/:aid                  | 200 200 200 404 | 200 403 403 404 | 200 200 200 404 | 200 403 403 404 | 403             | 200 200 200 404
DELETE /tasks/:id/attachments/:aid                  | 204 204 204 404 | 204 403 403 404 | 204 204 204 404 | 403             | 204 403 403 404 | 204 204 204 404
GET    /importers                                   | 200             | 403             | 200             | 403             | 403             | 200
GET    /importers/:name/runs                        | 200 404         | 403             | 200 404         | 403             | 403             | 200 404
POST   /importers/:name/run                         | 200 404         | 403             | 200 404         | 403             | 403             | 200 404
POST   /task-generator/run                          | 200             | 403             | 200             | 403             | 403             | 200
POST   /tasks/run                                   | 202             | 403             | 202             | 403             | 403             | 202
POST   /test/nats                                   | 503             | 403             | 503             | 403             | 403             | 503
GET    /users                                       | 200             | 403             | 200             | 403             | 403             | 403
PATCH  /users/:id                                   | 200 200 404     | 403             | 200 200 404     | 403             | 403             | 403
GET    /webhooks                                    | 200             | 200             | 200             | 200             | 403             | 200
POST   /webhooks                                    | 201             | 201             | 201             | 403             | 403             | 201
GET    /webhooks/:id                                | 200 200 200 404 | 200 403 403 404 | 200 200 200 404 | 200 403 403 404 | 403             | 200 200 200 404
PATCH  /webhooks/:id                                | 200 200 200 404 | 200 403 403 404 | 200 200 200 404 | 403             | 403             | 200 200 200 404
DELETE /webhooks/:id                                | 204 204 204 404 | 204 403 403 404 | 204 204 204 404 | 403             | 204 403 403 404 | 204 204 204 404
POST   /webhooks/:id/secret                         | 200 200 200 404 | 200 403 403 404 | 200 200 200 404 | 403             | 403             | 200 200 200 404
POST   /webhooks/:id/test                           | 202 202 202 404 | 202 403 403 404 | 202 202 202 404 | 403             | 403             | 202 202 202 404
GET    /webhooks/:id/deliveries                     | 200 200 200 404 | 200 403 403 404 | 200 200 200 404 | 200 403 403 404 | 403             | 200 200 200 404
GET    /webhooks/:id/deliveries/:delivery           | 200 200 200 404 | 200 403 403 404 | 200 200 200 404 | 200 403 403 404 | 403             | 200 200 200 404
POST   /webhooks/:id/deliveries/:delivery/redeliver | 202 202 202 404 | 202 403 403 404 | 202 202 202 404 | 403             | 403             | 202 202 202 404
POST   /auth/register                               | 201             | 201             | 201             | 201             | 201             | 201
POST   /auth/login                                  | 200             | 200             | 200             | 200             | 200             | 200
POST   /auth/refresh                                | 200             | 200             | 200             | 200             | 200             | 200
POST   /auth/logout                                 | 401             | 204             | 204             | 403             | 403             | 403
GET    /auth/me                                     | 401             | 200             | 200             | 200             | 403             | 200
POST   /auth/password                               | 401             | 200             | 200             | 403             | 403             | 403
GET    /auth/sessions                               | 401             | 200             | 200             | 200             | 403             | 200
DELETE /auth/sessions/:id                           | 401             | 204 404 404     | 204 404 404     | 403             | 403             | 403
GET    /auth/tokens                                 | 401             | 200             | 200             | 200             | 403             | 200
POST   /auth/tokens                                 | 401             | 201             | 201             | 403             | 403             | 403
DELETE /auth/tokens/:id                             | 401             | 204 404 404     | 204 404 404     | 403             | 403             | 403
POST   /auth/ticket                                 | 201             | 201             | 201             | 201             | 403             | 201
GET    /auth/setup                                  | 401             | 401             | 401             | 401             | 401             | 401
POST   /auth/setup                                  | 401             | 401             | 401             | 401             | 401             | 401
GET    /ws                                          | 426             | 426             | 426             | 426             | 426             | 426
GET    /ws/currencies                               | 426             | 426             | 426             | 426             | 426             | 426
GET    /ws/tasks                                    | 426             | 426             | 426             | 426             | 426             | 426
WS     /ws                                          | open            | open            | open            | open            | 403             | open
WS     /ws/currencies                               | open            | open            | open            | open            | 403             | open
WS     /ws/tasks                                    | open            | open            | open            | open            | 403             | open
GET    /events                                      | 200             | 200             | 200             | 200             | 403             | 200
GET    /asyncapi.json                               | 200             | 200             | 200             | 200             | 200             | 200
GET    /                                            | 302             | 302             | 302             | 302             | 302             | 302
GET    /health                                      | 200             | 200             | 200             | 200             | 200             | 200
GET    /health/ready                                | 200             | 200             | 200             | 200             | 200             | 200
GET    /metrics                                     | 200             | 403             | 200             | 403             | 403             | 200
GET    /openapi.json                                | 200             | 200             | 200             | 200             | 200             | 200
GET    /docs/static/index.html                      | 302             | 302             | 302             | 302             | 302             | 302
GET    /swagger/static/index.html                   | 302             | 302             | 302             | 302             | 302             | 302
GET    /docs/**                                     | 200             | 200             | 200             | 200             | 200             | 200
GET    /swagger/**                                  | 200             | 200             | 200             | 200             | 200             | 200
GET    /redoc/**                                    | 200             | 200             | 200             | 200             | 200             | 200
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

/** Every route that may be called without a token while access is required. All other routes need one. */
const openRoutes = `
public POST /auth/login
public POST /auth/refresh
public POST /auth/register
public GET  /auth/setup
public POST /auth/setup
public GET  /
public GET  /docs/**
public GET  /health
public GET  /health/ready
public GET  /openapi.json
public GET  /redoc/**
public GET  /swagger/**
feed   GET  /tasks.ics
ticket GET  /ws
ticket GET  /ws/currencies
ticket GET  /ws/tasks
`
/** Every route whose requests the rate limit does not count. */
const unlimitedRoutes = `
GET /docs/**
GET /health
GET /health/ready
GET /openapi.json
GET /redoc/**
GET /swagger/**
`

/** The registered routes with their `config`; the documentation's pages are one. */
function configs({ routes }: World['app']) {
  return [...routes].flatMap(([path, methods]) =>
    [...methods].map(([method, { config = {} }]) => {
      const area = path.replace(/^(\/(?:docs|swagger|redoc))(?:\/.*)?$/, '$1/**')
      return { route: `${method === 'HEAD' ? 'GET' : method} ${area}`, config }
    }),
  )
}

function listed(list: string): string[] {
  return list
    .trim()
    .split('\n')
    .map((line) => line.replace(/ +/g, ' '))
    .sort()
}

/** The statuses of a caller without a token, and with an invalid one, that follow from the route's `access`. */
function derived(
  { routes }: World['app'],
  method: string,
  path: string,
  operator: string[],
): Record<string, string[]> {
  const route = routes.get(path)?.get(method === 'WS' ? 'GET' : method)
  switch (route?.config?.access) {
    case 'public':
      return { anonymous: operator, bad: operator }
    case 'ticket':
      return { anonymous: [method === 'WS' ? 'open' : '401'], bad: ['401'] }
    default:
      return { anonymous: ['401'], bad: ['401'] }
  }
}

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

  test('only the listed routes may be called without a token', () => {
    const open = configs(world.app)
      .filter(({ config }) => config.access !== undefined && config.access !== 'token')
      .map(({ route, config }) => `${config.access} ${route}`)
    expect([...new Set(open)].sort()).toEqual(listed(openRoutes))
  })

  test('only the listed routes are not rate-limited', () => {
    const unlimited = configs(world.app).filter(({ config }) => config.isRateLimited === false)
    expect([...new Set(unlimited.map(({ route }) => route))].sort()).toEqual(listed(unlimitedRoutes))
  })

  test('all methods of a path have the same access', () => {
    const mixed = [...world.app.routes].filter(
      ([, methods]) => new Set([...methods.values()].map(({ config }) => config?.access)).size > 1,
    )
    expect(mixed.map(([path]) => path)).toEqual([])
  })

  test('every registered route has a line, and every line a route', () => {
    const { app } = world
    const registered = [...app.routes].flatMap(([path, methods]) =>
      [...methods.keys()].map((method) => `${method} ${path}`),
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

  test('every column has a caller, and every cell one status or one for each resource', () => {
    const columns = new Set(world.callers.map(({ column }) => column)).add('operator')
    for (const column of ['anonymous', 'bad']) columns.delete(column)
    for (const { path, expected } of rows) {
      expect(new Set(Object.keys(expected))).toEqual(columns)
      for (const { length } of Object.values(expected)) expect([1, thingsOf(path).length]).toContain(length)
    }
  })

  test.each(rows)('$method $path', async ({ method, path, expected }) => {
    const questions: Question[] = []
    for (const caller of world.callers) {
      for (const one of pathsOf(world.app, path)) {
        for (const each of methodsOf(method)) {
          const cells = { ...expected, ...derived(world.app, each, one, expected.operator!) }
          const cell = cells[caller.column]!
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
