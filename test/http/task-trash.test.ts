import { afterAll, beforeAll, expect, test } from 'vitest'
import { bearer, type Grant, register, registerAdmin } from '../support/accounts.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { expectProblem } from '../support/problem.ts'

interface Task {
  id: number
  deleted_at: string
}

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app[Symbol.asyncDispose]())

const trash = (query = '') => app.fetch(`/tasks?trash=true${query}`)
const idsIn = async (query = '') => (await trash(query)).body.map(({ id }: Task) => id)
async function trashed(...tasks: object[]): Promise<number[]> {
  const created = await app.send('POST', '/tasks/batch', {
    operations: tasks.map((task) => ({ op: 'create', task })),
  })
  const ids: number[] = created.body.results.map(({ id }: Task) => id)
  for (const id of ids) await app.fetch(`/tasks/${id}`, { method: 'DELETE' })
  return ids
}

test('the trash is listed, the one that was deleted last first, and says when', async () => {
  const { body: kept } = await app.send('POST', '/tasks', { title: 'kept' })
  const before = new Date().toISOString()
  const ids = await trashed({ title: 'c' }, { title: 'a', city: 'Omsk' }, { title: 'b', labels: ['x'] })
  const { status, headers, body } = await trash()
  expect([status, headers.get('x-total-count')]).toEqual([200, '3'])
  expect(body.map(({ id }: Task) => id)).toEqual(ids.toReversed())
  for (const { deleted_at } of body) {
    expect(deleted_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
    expect(deleted_at >= before.slice(0, 19)).toBe(true)
  }
  for (const query of ['', '?trash=false']) {
    const live = await app.fetch(`/tasks${query}`)
    expect(live.body).toEqual([kept])
    expect(live.body[0]).not.toHaveProperty('deleted_at')
  }
  const today = before.slice(0, 10)
  for (const [query, expected] of [
    ['&sort=title', [ids[1], ids[2], ids[0]]],
    ['&sort=id', ids],
    ['&sort=-id&limit=2', [ids[2], ids[1]]],
    ['&skip=1&limit=1', [ids[1]]],
    ['&city=omsk', [ids[1]]],
    ['&label=x', [ids[2]]],
    ['&q=a', [ids[1]]],
    [`&created_from=${today}&sort=id`, ids],
    ['&created_to=2000-01-01', []],
    ['&status=done', []],
  ] as const)
    expect([query, await idsIn(query)]).toEqual([query, expected])

  const restored = await app.fetch(`/tasks/${ids[1]}/restore`, { method: 'POST' })
  expect(restored.body).not.toHaveProperty('deleted_at')
  expect(await idsIn()).toEqual([ids[2], ids[0]])
  expectProblem(await app.fetch(`/tasks/${ids[1]}/restore`, { method: 'POST' }), 404)
})

test('pages behind a cursor stay right while tasks come into the trash and leave it', async () => {
  const ids = await trashed(
    ...Array.from({ length: 7 }, (_, i) => ({ title: `Page ${i}`, source: undefined })),
  )
  const seen: number[] = []
  let next: string | undefined = '/tasks?trash=true&limit=2&cursor='
  while (next) {
    const { body, headers } = await app.fetch(next)
    seen.push(...body.map(({ id }: Task) => id))
    next = /<([^>]*)>; rel="next"/.exec(headers.get('link')!)?.[1]
    // It comes first in the list, before all that is still to be seen.
    await trashed({ title: 'meanwhile' })
  }
  expect(seen.slice(0, 7)).toEqual(ids.toReversed())
  expect(new Set(seen).size).toBe(seen.length)
  // One of the trash is none of the list.
  const { headers } = await app.fetch('/tasks?trash=true&limit=1&cursor=')
  const cursor = /cursor=([^&>]+)/.exec(headers.get('link')!.split(', ').at(-1)!)![1]
  expectProblem(await app.fetch(`/tasks?limit=1&cursor=${cursor}`), 422)
})

test.each([
  'trash=maybe',
  'trash=',
  'trash=1',
  'trash=true&trash=false',
  'trash=true&sort=deleted_at',
  'sort=-deleted_at',
])('%s is refused', async (query) => {
  expectProblem(await app.fetch(`/tasks?${query}`), 422)
})

test('a user sees what they have deleted, an admin all', async () => {
  await using closed = await startTestApp({ AUTH_MODE: 'required' })
  const [anna, boris, root] = [
    await register(closed, 'anna'),
    await register(closed, 'boris'),
    await registerAdmin(closed, 'root'),
  ]
  const deleteOne = async ({ access_token }: Grant) => {
    const { body } = await closed.send('POST', '/tasks', { title: 'x' }, bearer(access_token))
    await closed.fetch(`/tasks/${body.id}`, { method: 'DELETE', headers: bearer(access_token) })
    return body.id as number
  }
  const [one, other] = [await deleteOne(anna), await deleteOne(boris)]
  const seenBy = async ({ access_token }: Grant) => {
    const { body } = await closed.fetch('/tasks?trash=true', { headers: bearer(access_token) })
    return body.map(({ id }: Task) => id)
  }
  expect([await seenBy(anna), await seenBy(boris), await seenBy(root)]).toEqual([
    [one],
    [other],
    [other, one],
  ])
  expectProblem(await closed.fetch('/tasks?trash=true'), 401)
})
