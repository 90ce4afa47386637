import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Answer, startTestApp, type TestApp } from '../support/app.ts'

interface Listed {
  id: number
  title: string
  status: string
  completed: boolean
  created_at: string
  updated_at: string | null
}

const statuses = ['todo', 'in_progress', 'done', 'failed']
const COUNT = 23
let app: TestApp
let all: Listed[]
beforeAll(async () => {
  app = await startTestApp()
  for (let i = 0; i < COUNT; i++) {
    await app.send('POST', '/tasks', { title: `Task ${i % 5}`, status: statuses[i % 4] })
  }
  await app.send('PATCH', '/tasks/3', { description: 'changed' })
  await app.send('PATCH', '/tasks/7', { description: 'changed' })
  all = (await app.fetch('/tasks')).body
})
afterAll(() => app[Symbol.asyncDispose]())

const list = async (query: string): Promise<Listed[]> => {
  const answer = await app.fetch(`/tasks?${query}`)
  expect(answer.status).toBe(200)
  return answer.body
}
const ids = (tasks: Listed[]) => tasks.map(({ id }) => id)
const total = (answer: Answer) => Number(answer.headers.get('x-total-count'))

/** The Link header (RFC 8288) as relation -> target. */
function links(answer: Answer): Record<string, string> {
  const header = answer.headers.get('link') ?? ''
  return Object.fromEntries([...header.matchAll(/<([^>]+)>; rel="(\w+)"/g)].map(([, to, rel]) => [rel, to]))
}

async function walk(from: string, rel: 'next' | 'prev'): Promise<Listed[][]> {
  const pages: Listed[][] = []
  for (let at: string | undefined = from; at; ) {
    const page: Answer = await app.fetch(at)
    expect(page.status).toBe(200)
    pages.push(page.body)
    at = links(page)[rel]
    expect(pages.length).toBeLessThan(50)
  }
  return pages
}

test('the list is a bare array in the order of ids, at most 100 of them', async () => {
  expect(Array.isArray(all)).toBe(true)
  expect(ids(all)).toEqual(Array.from({ length: COUNT }, (_, i) => i + 1))
  expect(all[4]).toEqual((await app.fetch('/tasks/5')).body)
  const answer = await app.fetch('/tasks?limit=1000')
  expect(total(answer)).toBe(COUNT)
  expect(links(answer)).toEqual({ first: expect.any(String) })
})

test('skip and limit cut a page out of it', async () => {
  expect(ids(await list('skip=5&limit=3'))).toEqual([6, 7, 8])
  expect(ids(await list('skip=20'))).toEqual([21, 22, 23])
  expect(ids(await list('limit=1'))).toEqual([1])
})

test('Link leads through all pages, forwards and backwards', async () => {
  const start = '/tasks?limit=5&sort=title,-id&status=todo&status=done&status=failed'
  const expected = await list('limit=1000&sort=title,-id&status=todo&status=done&status=failed')
  const pages = await walk(start, 'next')
  expect(pages.map(({ length }) => length)).toEqual([5, 5, 5, 2])
  expect(ids(pages.flat())).toEqual(ids(expected))
  const last = `${start}&skip=15`
  expect((await walk(last, 'prev')).toReversed()).toEqual(pages)
  const { first } = links(await app.fetch(last))
  expect((await app.fetch(first!)).body).toEqual(pages[0])
})

test('Link keeps a question mark that is part of the query', async () => {
  const { next, first } = links(await app.fetch('/tasks?source=why?&status=todo&sort=-id&limit=5'))
  expect([first, next]).toEqual(['/tasks?source=why%3F&status=todo&sort=-id&skip=0&limit=5', undefined])
})

test('first, prev and next are there exactly where they lead somewhere', async () => {
  const rels = async (query: string) => Object.keys(links(await app.fetch(`/tasks?${query}`)))
  expect(await rels('limit=10')).toEqual(['first', 'next'])
  expect(await rels('limit=10&skip=10')).toEqual(['first', 'prev', 'next'])
  expect(await rels('limit=10&skip=20')).toEqual(['first', 'prev'])
  expect(await rels('limit=23')).toEqual(['first'])
  expect(await rels('limit=22')).toEqual(['first', 'next'])
  expect(await rels('status=done&limit=5')).toEqual(['first', 'next'])
})

test.each(['skip=23', 'skip=1000', 'skip=2147483647&limit=1000'])('%s lies beyond the end', async (query) => {
  const answer = await app.fetch(`/tasks?${query}`)
  expect(answer).toMatchObject({ status: 200, body: [] })
  expect(total(answer)).toBe(COUNT)
  expect(Object.keys(links(answer))).toEqual(['first', 'prev'])
})

test('an empty result has a total of 0', async () => {
  const answer = await app.fetch('/tasks?completed=true&status=todo')
  expect(answer).toMatchObject({ status: 200, body: [] })
  expect(total(answer)).toBe(0)
})

test.each([
  ['status=todo', ['todo']],
  ['status=done&status=failed', ['done', 'failed']],
  ['status=New', ['todo']],
  ['status=in%20progress', ['in_progress']],
  ['status=In+Progress&status=COMPLETED', ['in_progress', 'done']],
  ['status=IN_PROGRESS', ['in_progress']],
  ['status=fAiLeD&status=failed', ['failed']],
  ['completed=true', ['done']],
  ['completed=false', ['todo', 'in_progress', 'failed']],
  ['completed=false&status=todo&status=done', ['todo']],
])('%s gives tasks that are %s', async (query, expected) => {
  const answer = await app.fetch(`/tasks?${query}`)
  expect(ids(answer.body)).toEqual(ids(all.filter(({ status }) => expected.includes(status))))
  expect(total(answer)).toBe(answer.body.length)
})

test.each<[string, (keyof Listed)[], boolean[]]>([
  ['id', ['id'], [false]],
  ['-id', ['id'], [true]],
  ['title,-id', ['title', 'id'], [false, true]],
  ['-title,status', ['title', 'status', 'id'], [true, false, false]],
  ['status,-created_at', ['status', 'created_at', 'id'], [false, true, true]],
  ['-created_at', ['created_at', 'id'], [true, true]],
  [' title , -id', ['title', 'id'], [false, true]],
  ['title,title,-title,id', ['title', 'id'], [false, false]],
])('sort=%s', async (sort, columns, descending) => {
  const compare = (one: Listed, other: Listed) => {
    for (const [i, column] of columns.entries()) {
      const [a, b] = [one[column]!, other[column]!]
      if (a !== b) return a < b === descending[i] ? 1 : -1
    }
    return 0
  }
  expect(ids(await list(`sort=${encodeURIComponent(sort)}`))).toEqual(ids(all.toSorted(compare)))
})

test('sort=updated_at puts the never changed last, -updated_at first', async () => {
  const never = ids(all).filter((id) => id !== 3 && id !== 7)
  expect(ids(await list('sort=updated_at'))).toEqual([3, 7, ...never])
  expect(ids(await list('sort=-updated_at'))).toEqual([...never.toReversed(), 7, 3])
})

test.each([
  ['sort=version', 'query.sort'],
  ['sort=', 'query.sort'],
  ['sort=id,', 'query.sort'],
  ['sort=--id', 'query.sort'],
  ['sort=id;drop table tasks', 'query.sort'],
  ['sort=__proto__', 'query.sort'],
  ['sort=id&sort=title', 'query.sort'],
  ['skip=-1', 'query.skip'],
  ['skip=2147483648', 'query.skip'],
  ['limit=0', 'query.limit'],
  ['limit=1001', 'query.limit'],
  ['limit=ten', 'query.limit'],
  ['limit=1e2', 'query.limit'],
  ['limit=', 'query.limit'],
  ['limit=5&limit=6', 'query.limit'],
  ['status=open', 'query.status.0'],
  ['status=todo&status=', 'query.status.1'],
  ['status=todo,done', 'query.status.0'],
  ['completed=yes', 'query.completed'],
  ['completed=true&completed=false', 'query.completed'],
  ['page=2', 'query.page'],
  ['__proto__=1', 'query.__proto__'],
])('%s is 422 and names %s', async (query, path) => {
  const answer = await app.fetch(`/tasks?${query}`)
  expect(answer.status).toBe(422)
  expect(answer.body.errors.map((error: { path: string }) => error.path)).toEqual([path])
})

test('a trailing slash is the same route', async () => {
  const page = await app.fetch('/tasks/?limit=5')
  expect(page).toMatchObject({ status: 200, body: all.slice(0, 5) })
  expect((await app.fetch(links(page).next!)).body).toEqual(all.slice(5, 10))
  expect((await app.fetch('/tasks/5/')).body).toEqual(all[4])
  const created = await app.send('POST', '/tasks/', { title: 'Slash' })
  expect(created.status).toBe(201)
  const { id } = created.body
  expect((await app.send('PATCH', `/tasks/${id}/`, { title: 'x' })).status).toBe(200)
  expect((await app.fetch(`/tasks/${id}/`, { method: 'DELETE' })).status).toBe(204)
  expect((await app.fetch(`/tasks/${id}/restore/`, { method: 'POST' })).status).toBe(200)
  expect((await app.fetch(`/tasks/${id}`, { method: 'DELETE' })).status).toBe(204)
})

test.each(['/tasks?limit=5', '/tasks/5', '/tasks/2147483647', '/tasks?limit=0', '/nowhere'])(
  'HEAD %s has the headers of GET and no body',
  async (path) => {
    const [head, get] = [await fetch(app.url + path, { method: 'HEAD' }), await app.fetch(path)]
    const headers = (headers: Headers) =>
      ['content-type', 'content-length', 'etag', 'x-total-count', 'link'].map((name) => headers.get(name))
    expect([head.status, await head.text()]).toEqual([get.status, ''])
    expect(headers(head.headers)).toEqual(headers(get.headers))
  },
)

test.each([
  ['/tasks', 'GET, HEAD, OPTIONS, POST'],
  ['/tasks/', 'GET, HEAD, OPTIONS, POST'],
  ['/tasks/5', 'DELETE, GET, HEAD, OPTIONS, PATCH, PUT'],
  ['/tasks/abc', 'DELETE, GET, HEAD, OPTIONS, PATCH, PUT'],
  ['/tasks/5/restore', 'OPTIONS, POST'],
  ['/health', 'GET, HEAD, OPTIONS'],
])(
  'OPTIONS %s says what may be asked, and any other method is 405 with the same Allow',
  async (path, allow) => {
    const options = await app.fetch(path, { method: 'OPTIONS' })
    expect(options).toMatchObject({ status: 204, body: '' })
    expect(options.headers.get('allow')).toBe(allow)
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'PROPFIND']) {
      if (allow.includes(method)) continue
      const answer = await app.send(method, path, method === 'GET' ? undefined : { title: 'x' })
      expect(answer).toMatchObject({ status: 405, body: { status: 405, title: 'Method Not Allowed' } })
      expect(answer.headers.get('allow')).toBe(allow)
    }
  },
)

test('OPTIONS of an unknown path is 404', async () => {
  expect((await app.fetch('/nowhere', { method: 'OPTIONS' })).status).toBe(404)
})

test('STATUS_LABELS=title writes titles everywhere and takes every name', async () => {
  await using titled = await startTestApp({ STATUS_LABELS: 'title' })
  const labels = ['New', 'In Progress', 'Completed', 'Failed']
  for (const [i, status] of statuses.entries()) {
    const { body } = await titled.send('POST', '/tasks', { title: 'x', status: i % 2 ? status : labels[i] })
    expect(body).toMatchObject({ status: labels[i], completed: status === 'done' })
  }
  expect((await titled.fetch('/tasks')).body.map(({ status }: Listed) => status)).toEqual(labels)
  expect((await titled.fetch('/tasks?status=in_progress&status=New')).body).toHaveLength(2)
  const patched = await titled.send('PATCH', '/tasks/1', { completed: true })
  expect(patched.body).toMatchObject({ status: 'Completed', completed: true })
  expect((await titled.fetch('/tasks/1')).body).toEqual(patched.body)
})
