import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { expectDiscreet } from '../support/discretion.ts'
import { mark } from '../support/owned-things.ts'
import { seesAll, startWorld, type World } from '../support/route-matrix.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'

let upstream: Upstream
beforeAll(async () => {
  upstream = await startUpstream()
})
afterAll(() => upstream[Symbol.asyncDispose]())

describe.each(['required', 'open'] as const)('while access is %s', (mode) => {
  let world: World
  beforeAll(async () => {
    world = await startWorld(mode, upstream.url)
  })
  afterAll(() => world[Symbol.asyncDispose]())

  const pick = (...columns: string[]) => world.callers.filter(({ column }) => columns.includes(column))

  test('lists, and their counts, are of what the caller may see', async () => {
    const { app, make, users, request } = world
    for (const owner of [users.anna, users.boris, users.root, null, users.anna, null]) {
      await make('/tasks/:id', owner)
      await make('/tasks/:id/restore', owner)
    }
    const alive = await app.database.rows<{ id: number; user_id: number | null }>(
      'SELECT id, user_id FROM tasks WHERE deleted_at IS NULL ORDER BY id',
    )
    expect(alive).toHaveLength(6)
    const callers = pick('operator', 'user', 'admin', 'reader', 'admin key')
    for (const caller of callers) {
      const own = alive
        .filter(({ user_id: id }) => seesAll(caller) || id === caller.user!.id)
        .map(({ id }) => id)
      expect(own.length).toBeGreaterThan(0)
      for (const [query, expected] of [
        ['', own],
        ['?status=todo&completed=false', own],
        ['?sort=-id', own.toReversed()],
        ['?limit=1', own.slice(0, 1)],
        ['?skip=1&limit=1', own.slice(1, 2)],
        ['?skip=1000', []],
      ] as const) {
        const { headers, text } = await request('GET', `/tasks${query}`, { token: await caller.token() })
        expect(JSON.parse(text).map(({ id }: { id: number }) => id)).toEqual(expected)
        expect(headers.get('x-total-count')).toBe(String(own.length))
      }
    }
  })

  test('sessions and API tokens are listed to their user only, whatever their role', async () => {
    const { app, request, users, make } = world
    for (const owner of Object.values(users)) await make('/auth/tokens/:id', owner)
    for (const caller of pick('user', 'admin', 'reader', 'admin key')) {
      const token = await caller.token()
      for (const [path, table] of [
        ['/auth/sessions', 'sessions'],
        ['/auth/tokens', 'api_tokens'],
      ] as const) {
        const { text } = await request('GET', path, { token })
        const own = await app.database.rows<{ id: unknown }>(`SELECT id FROM ${table} WHERE user_id = $1`, [
          caller.user!.id,
        ])
        const ids = (rows: { id: unknown }[]) => rows.map(({ id }) => id).sort()
        expect(ids(JSON.parse(text))).toEqual(ids(own))
        expect(own.length).toBeGreaterThan(0)
      }
    }
  })

  test('a precondition tells nothing of the version of a foreign task', async () => {
    const { app, make, users } = world
    const [anna] = pick('user')
    for (const owner of [users.boris, null]) {
      const path = `/tasks/${await make('/tasks/:id', owner)}`
      for (const version of ['"1"', '"2"', '*']) {
        const headers = {
          authorization: `Bearer ${await anna!.token()}`,
          'if-match': version,
          'if-none-match': version,
        }
        for (const method of ['GET', 'DELETE']) {
          expect((await app.fetch(path, { method, headers })).status).toBe(403)
        }
        for (const method of ['PATCH', 'PUT']) {
          expect((await app.send(method, path, { title: 'Changed' }, headers)).status).toBe(403)
        }
      }
      expect(
        (await app.database.rows(`SELECT version, title FROM tasks WHERE id = ${path.slice(7)}`))[0],
      ).toEqual({
        version: 1,
        title: mark(owner),
      })
    }
  })

  test('a task that is created belongs to its creator, who cannot give or take it', async () => {
    const { request, users } = world
    for (const caller of pick('operator', 'user', 'admin', 'writer', 'admin key')) {
      const options = async (body: object) => ({ token: await caller.token(), body })
      const { text } = await request('POST', '/tasks', await options({ title: mark(caller.user ?? null) }))
      expect(JSON.parse(text)).toMatchObject({ user_id: caller.user?.id ?? null })
      const given = { title: 'Given', user_id: users.boris.id }
      expect((await request('POST', '/tasks', await options(given))).status).toBe(422)
      for (const method of ['PATCH', 'PUT']) {
        expect((await request(method, `/tasks/${JSON.parse(text).id}`, await options(given))).status).toBe(
          422,
        )
      }
    }
  })

  test('random calls by anybody: no failure, and nothing told that is not theirs', async () => {
    const { app, callers, request, make, users } = world
    for (const owner of [users.anna, users.boris, null]) {
      await make('/tasks/:id', owner)
      await make('/tasks/:id/restore', owner)
    }
    await make('/users/:id', users.boris)
    const sessions = await app.database.rows<{ id: string }>(
      'SELECT id FROM sessions ORDER BY random() LIMIT 9',
    )
    const templates = [...app.routes.keys()].filter((path) => !path.startsWith('/auth/setup'))
    const pages = /^\/(docs|swagger|redoc)/
    const [bad, good] = [true, false].map((isBad) =>
      callers.filter(({ column }) => (column === 'bad') === isBad),
    )
    const id = fc.oneof(
      { weight: 6, arbitrary: fc.integer({ min: 1, max: 40 }).map(String) },
      { weight: 2, arbitrary: fc.constantFrom(...sessions.map(({ id }) => id)) },
      fc.constantFrom('todos', '0', '-1', '1e3', '2147483648', '%00', '%zz', 'x'),
    )
    const body = fc.oneof(
      fc.constantFrom(
        undefined,
        {},
        { title: 'Random' },
        { completed: true },
        { name: 'x', scopes: ['read'] },
      ),
      fc.record({
        username: fc.constantFrom('anna', 'dora'),
        password: fc.constantFrom('a password of dora', 'x'),
      }),
      fc.jsonValue(),
    )
    const call = fc.record({
      caller: fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...good!) }, fc.constantFrom(...bad!)),
      method: fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'),
      template: fc.oneof(
        { weight: 4, arbitrary: fc.constantFrom(...templates.filter((path) => !pages.test(path))) },
        fc.constantFrom(...templates),
      ),
      id,
      query: fc.constantFrom('', '', '?limit=3', '?ticket=x', '?user_id=2', '?skip=-1'),
      body,
    })
    const seen = new Set<number>()
    const property = fc.asyncProperty(call, async ({ caller, method, template, id, query, body }) => {
      const path = template.replace(/:\w+/, id).replace('*', 'x') + query
      const token = await caller.token()
      const sent = ['GET', 'HEAD'].includes(method) ? {} : { body }
      const reply = await request(method, path, { token, ...sent })
      seen.add(reply.status)
      // There is no NATS here.
      expect(reply.status).toBeLessThan(template === '/test/nats' ? 504 : 500)
      expectDiscreet(reply, method, path, caller)
    })
    await fc.assert(property, { numRuns: 1500, endOnFailure: true })
    expect([...seen]).toEqual(expect.arrayContaining([200, 204, 401, 403, 404, 405, 422]))
  })
})
