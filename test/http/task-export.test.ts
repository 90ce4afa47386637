import { get } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseCsv } from '../../src/platform/http/csv.ts'
import { bearer, register, registerAdmin } from '../support/accounts.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { eventually } from '../support/eventually.ts'
import { expectProblem } from '../support/problem.ts'

const COUNT = 650
let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
  // More than two portions, some of them in the trash.
  await app.database.rows(
    `INSERT INTO tasks (title, description, status, labels, city, deleted_at)
     SELECT 'Task ' || n, CASE n % 3 WHEN 0 THEN NULL WHEN 1 THEN '' ELSE '=1+1,"' || chr(10) || 'ы' END,
       CASE n % 2 WHEN 0 THEN 'todo' ELSE 'done' END, ARRAY['a', 'b, c'], 'Омск', CASE WHEN n % 10 = 0 THEN now() END
     FROM generate_series(1, $1) n`,
    [COUNT],
  )
})
afterAll(() => app[Symbol.asyncDispose]())

interface Task {
  id: number
  title: string
  [field: string]: unknown
}
const linesOf = (text: string): Task[] =>
  text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line))
/** What the list shows, all of it. */
const listed = async (query = '') => {
  const pages = await Promise.all(
    [0, 1000].map((skip) => app.fetch(`/tasks?limit=1000&skip=${skip}&sort=id${query}`)),
  )
  return pages.flatMap(({ body }) => body) as Task[]
}
/** As text: a CSV is not for `fetch` to take its mark away. */
const fetched = async (path: string, headers: Record<string, string> = {}) => {
  const response = await fetch(app.url + path, { headers })
  return { response, text: Buffer.from(await response.arrayBuffer()).toString() }
}

test('JSON lines have every task that the list has, as it has them', async () => {
  const { response, text } = await fetched('/tasks/export')
  expect(response.status).toBe(200)
  expect(response.headers.get('content-type')).toBe('application/x-ndjson; charset=utf-8')
  expect(response.headers.get('content-disposition')).toMatch(
    /^attachment; filename="tasks-[\d-]{10}\.jsonl"$/,
  )
  expect(linesOf(text)).toEqual(await listed())
})

test('a CSV has them too, and says nothing to a spreadsheet that it would do', async () => {
  const { response, text } = await fetched('/tasks/export', { accept: 'text/csv' })
  expect(response.headers.get('content-type')).toBe('text/csv; charset=utf-8; header=present')
  expect(text.startsWith('\ufeffid,title,description,')).toBe(true)
  expect(text).not.toMatch(/(^|,|\n)"?[=+@]/)
  const [head, ...rows] = await Array.fromAsync(parseCsv([text.slice(1)]))
  const tasks = rows.map(({ cells }) => Object.fromEntries(head!.cells.map((name, i) => [name, cells[i]])))
  const shown = (value: unknown) =>
    value === null || typeof value === 'string' ? value : JSON.stringify(value)
  const expected = (await listed()).map((task) =>
    Object.fromEntries(head!.cells.map((name) => [name, shown(task[name!])])),
  )
  expect(tasks).toEqual(expected)
})

test.each(['&status=done', '&completed=false', '&has_job=true'])(
  'the filter %s is that of the list',
  async (filter) => {
    const { text } = await fetched(`/tasks/export?format=jsonl${filter}`, { accept: 'text/csv' })
    expect(linesOf(text)).toEqual(await listed(filter))
  },
)

test('a table of nothing is its head, and lines of nothing are none', async () => {
  expect((await fetched('/tasks/export?format=csv&has_job=true')).text).toMatch(/^\ufeffid,[\w,]+\r\n$/)
  expect((await fetched('/tasks/export?has_job=true')).text).toBe('')
})

test.each(['format=xml', 'format=', 'limit=5', 'sort=title', 'status=open', 'format=csv&format=jsonl'])(
  '%s is refused',
  async (query) => {
    expectProblem(await app.fetch(`/tasks/export?${query}`), 422)
    expect((await fetch(`${app.url}/tasks/export?${query}`, { method: 'HEAD' })).status).toBe(422)
  },
)

test('HEAD tells what would come, and writes nothing', async () => {
  const answer = await app.fetch('/tasks/export?format=csv', { method: 'HEAD' })
  expect([answer.status, answer.body]).toEqual([200, ''])
  expect(answer.headers.get('content-type')).toMatch(/^text\/csv/)
})

test('what is changed, made and deleted meanwhile leaves each of the others there once', async () => {
  const portions = await new Promise<string>((resolve, reject) => {
    // Read slowly: the rest is made when what came before is taken.
    get(`${app.url}/tasks/export`, { highWaterMark: 1 } as object, async (response) => {
      const chunks: string[] = []
      let isFirst = true
      try {
        for await (const chunk of response) {
          chunks.push(String(chunk))
          if (!isFirst) continue
          isFirst = false
          await app.send('POST', '/tasks', { title: 'made meanwhile' })
          await app.database.rows(
            "UPDATE tasks SET updated_at = now(), version = version + 1, position = '1' WHERE id % 7 = 0",
          )
        }
        resolve(chunks.join(''))
      } catch (error) {
        reject(error)
      }
    }).on('error', reject)
  })
  const ids = linesOf(portions).map(({ id }) => id)
  expect(new Set(ids).size).toBe(ids.length)
  const there = (await listed()).map(({ id }) => id)
  expect(there.filter((id) => !ids.includes(id) && id <= COUNT)).toEqual([])
})

describe('while access is required', () => {
  let closed: TestApp
  beforeAll(async () => {
    closed = await startTestApp({ AUTH_MODE: 'required' })
  })
  afterAll(() => closed[Symbol.asyncDispose]())

  test('a user exports their own tasks, an admin all', async () => {
    const [anna, boris, root] = [
      await register(closed, 'anna'),
      await register(closed, 'boris'),
      await registerAdmin(closed, 'root'),
    ]
    for (const { access_token } of [anna, boris])
      await closed.send('POST', '/tasks', { title: 'x' }, bearer(access_token))
    const owners = async (token: string) => {
      const { body } = await closed.fetch('/tasks/export', { headers: bearer(token) })
      return linesOf(body).map(({ user_id }) => user_id)
    }
    expect(await owners(anna.access_token)).toEqual([anna.user.id])
    expect(await owners(boris.access_token)).toEqual([boris.user.id])
    expect(await owners(root.access_token)).toEqual([anna.user.id, boris.user.id])
    expectProblem(await closed.fetch('/tasks/export'), 401)
  })

  test('who loses access in the middle does not get the rest', async () => {
    const { user, access_token } = await register(closed, 'lost')
    await closed.database.rows(
      `INSERT INTO tasks (title, weather, user_id)
       SELECT 'x', jsonb_build_object('condition', repeat('ab', 5000)), $1 FROM generate_series(1, 5000)`,
      [user.id],
    )
    const response = await fetch(`${closed.url}/tasks/export`, { headers: bearer(access_token) })
    const reader = response.body!.getReader()
    await reader.read()
    await closed.send('POST', '/auth/logout', undefined, bearer(access_token))
    let bytes = 0
    const rest = async () => {
      for (;;) {
        const { done, value } = await reader.read()
        if (done) return
        bytes += value.length
      }
    }
    await expect(rest()).rejects.toThrow()
    expect(bytes).toBeLessThan(50_000_000)
  })
})

test('a database that goes away in the middle cuts the file off, so that it does not look whole', async () => {
  await using cut = await startTestApp()
  await cut.database.rows(
    `INSERT INTO tasks (title, weather)
     SELECT 'x', jsonb_build_object('condition', repeat('ab', 5000)) FROM generate_series(1, 3000)`,
  )
  const response = await fetch(`${cut.url}/tasks/export`)
  const reader = response.body!.getReader()
  await reader.read()
  await cut.database.rows('ALTER TABLE tasks RENAME TO gone')
  const rest = async () => {
    while (!(await reader.read()).done);
  }
  await expect(rest()).rejects.toThrow()
  expectProblem(await cut.fetch('/tasks/export'), 500)
  await eventually(async () => (await cut.fetch('/health')).status === 200, 'the server is there')
})
