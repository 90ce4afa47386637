import { afterAll, beforeAll, expect, test } from 'vitest'
import { bearer, register, registerAdmin } from '../support/accounts.ts'
import { type Answer, startTestApp, type TestApp } from '../support/app.ts'
import { expectProblem } from '../support/problem.ts'

let app: TestApp
let anna: Record<string, string>
let root: Record<string, string>
let annaId: number
beforeAll(async () => {
  app = await startTestApp()
  const { user, access_token } = await register(app, 'Anna')
  anna = bearer(access_token)
  annaId = user.id
  root = bearer((await registerAdmin(app, 'root')).access_token)
  for (const body of [
    { title: 'Prepare the report', description: 'Collect monthly data', city: 'Moscow', priority: 'high' },
    { title: 'Подготовить отчёты', description: 'Собрать данные за месяц', labels: ['home', 'work'] },
    {
      title: 'Buy milk',
      description: 'for 12 guests of 2025',
      due_at: '2025-02-28T20:00:00Z',
      labels: ['home'],
    },
    { title: 'Pay invoice.pdf', description: 'of the report, 5% off', due_at: '2999-12-31T00:00:00Z' },
    { title: 'To be or not to be', status: 'done', due_at: '2025-02-28T21:00:00Z' },
  ])
    await app.send('POST', '/tasks', body)
  await app.send('POST', '/tasks', { title: "Anna's report" }, anna)
})
afterAll(() => app[Symbol.asyncDispose]())

const ids = (answer: Answer) => {
  expect(answer.status).toBe(200)
  return answer.body.map(({ id }: { id: number }) => id)
}
const list = async (query: string, headers = {}) => ids(await app.fetch(`/tasks?${query}`, { headers }))

test.each<[string, number[]]>([
  ['priority=high', [1]],
  ['priority=high&priority=urgent', [1]],
  ['city=moscow', [1]],
  ['label=home', [2, 3]],
  ['label=home&label=work', [2]],
  ['label=Home', []],
  ['due_from=2025-02-28&due_to=2025-02-28', [3, 5]],
  ['due_to=2025-02-28T20:30:00Z', [3]],
  ['due_from=2025-02-28T23:30:00%2B03:00&due_to=2025-03-01', [5]],
  ['due_from=2999-01-01', [4]],
  ['overdue=true', [3]],
  ['overdue=false', [1, 2, 4, 5, 6]],
  ['created_from=2020-01-01&created_to=2999-01-01', [1, 2, 3, 4, 5, 6]],
  ['created_from=2999-01-01', []],
  ['created_to=2020-01-01&sort=-id', []],
  ['user=anna', [6]],
  ['user=ANNA', [6]],
  ['user=nobody-at-all', []],
  ['user=999', []],
  ['source=jsonplaceholder', []],
  ['has_job=false&label=work', [2]],
  ['sort=-priority,-due_at', [1, 6, 2, 4, 5, 3]],
])('%s gives %j', async (query, expected) => {
  expect(await list(query)).toEqual(expected)
})

test.each<[string, number[]]>([
  ['report', [6, 1, 4]],
  ['REPORTS', [6, 1, 4]],
  ['rep', [6, 1, 4]],
  ['prepar', [1]],
  ['monthl', [1]],
  ['report collect', [1]],
  ['отчет', [2]],
  ['Отчётами', [2]],
  ['данных меся', [2]],
  ['pdf', [4]],
  ['5%', [4]],
  ['12', [3]],
  ['1', []],
  ['20', []],
  ['202', [3]],
  ['20 milk', []],
  ["anna's", [6]],
  ['to be', [5]],
  ['the', [1, 4]],
  ['nothing', []],
  ['', []],
  ['%', []],
  ["'", []],
  ["'; DROP TABLE tasks; --", []],
  ['report | milk', []],
  ['!milk', [3]],
  ['report:*', [6, 1, 4]],
  ['re.*', [6, 1, 4]],
  ['(((', []],
  ['\\', []],
  ['<-> & | ! :* ()', []],
  ['a'.repeat(200), []],
  ['½', []],
  ['日本', []],
])('q=%s finds %j, the best match first', async (q, expected) => {
  const answer = await app.fetch(`/tasks?q=${encodeURIComponent(q)}`)
  expect(ids(answer)).toEqual(expected)
  expect(answer.headers.get('x-total-count')).toBe(String(expected.length))
  expect((await list(`q=${encodeURIComponent(q)}&sort=id`)).toSorted()).toEqual(expected.toSorted())
})

test('a search knows of a change at once, and of nothing in the trash', async () => {
  const { id } = (await app.send('POST', '/tasks', { title: 'Zebra' })).body
  expect(await list('q=zebra')).toEqual([id])
  await app.send('PATCH', `/tasks/${id}`, { title: 'Giraffe', description: 'once a quagga' })
  expect([await list('q=zebra'), await list('q=quagga')]).toEqual([[], [id]])
  await app.fetch(`/tasks/${id}`, { method: 'DELETE' })
  expect(await list('q=giraffe')).toEqual([])
})

test('a user finds own tasks only, whatever is asked for; an admin those of all', async () => {
  for (const query of ['', 'q=report', 'completed=false', `user_id=${annaId}`, `user=${annaId}`, 'user=anna'])
    expect(await list(query, anna)).toEqual([6])
  for (const query of ['q=milk', 'user_id=2147483647', 'user=root', 'label=home', 'overdue=true'])
    expect(await list(query, anna)).toEqual([])
  expect(await list('q=report', root)).toEqual([6, 1, 4])
  expect(await list('user=anna', root)).toEqual([6])
})

test('a name that is a number is found by it, unless it is the id of a user', async () => {
  const named = async (username: string) => bearer((await register(app, username)).access_token)
  const likeAnId = String(annaId).padStart(3, '0')
  const [number, taken] = [await named('777777'), await named(likeAnId)]
  const { body } = await app.send('POST', '/tasks', { title: 'Of a number' }, number)
  const other = await app.send('POST', '/tasks', { title: 'Of another' }, taken)
  expect(await list('user=777777')).toEqual([body.id])
  expect(await list(`user=${likeAnId}`)).toEqual([6])
  for (const id of [body.id, other.body.id]) await app.fetch(`/tasks/${id}`, { method: 'DELETE' })
})

test.each([
  ['priority=highest', 'query.priority.0'],
  ['priority=', 'query.priority.0'],
  ['user_id=0', 'query.user_id'],
  ['user_id=2147483648', 'query.user_id'],
  ['user_id=anna', 'query.user_id'],
  ['user=a&user=b', 'query.user'],
  ['user=%00', 'query.user'],
  ['city=', 'query.city'],
  ['city=%00', 'query.city'],
  ['source=%00', 'query.source'],
  ['label=', 'query.label.0'],
  ['label=ok&label=%20', 'query.label.1'],
  [`label=${'x'.repeat(51)}`, 'query.label.0'],
  ['q=%00', 'query.q'],
  [`q=${'x'.repeat(201)}`, 'query.q'],
  ['q=a&q=b', 'query.q'],
  ['created_from=2025-02-30', 'query.created_from'],
  ['created_from=yesterday', 'query.created_from'],
  ['created_to=2025-13-01T00:00:00Z', 'query.created_to'],
  ['created_to=2025-12-15T12:00:00', 'query.created_to'],
  ['due_from=', 'query.due_from'],
  ['due_to=infinity', 'query.due_to'],
  ['created_from=2025-03-01&created_to=2025-02-28', 'query.created_to'],
  ['due_from=2025-03-01T00:00:00.000002Z&due_to=2025-03-01T00:00:00.000001Z', 'query.due_to'],
  ['due_from=2025-03-01T00:00:00Z&due_to=2025-03-01T02:00:00%2B03:00', 'query.due_to'],
  ['overdue=yes', 'query.overdue'],
  ['sort=rank', 'query.sort'],
  ['sort=search', 'query.sort'],
  ['cursor=x', 'query.cursor'],
  ['cursor=..', 'query.cursor'],
  ['cursor=W10.AAAAAAAAAAAAAAAA', 'query.cursor'],
  [`cursor=${'A'.repeat(6001)}`, 'query.cursor'],
  ['cursor=&skip=1', 'query.cursor'],
  ['cursor=&cursor=', 'query.cursor'],
])('%s is 422 and names %s', async (query, path) => {
  const answer = await app.fetch(`/tasks?${query}`)
  expectProblem(answer, 422)
  expect(answer.body.errors.map((error: { path: string }) => error.path)).toEqual([path])
})

const linkOf = (answer: Answer, rel: string) =>
  new RegExp(`<([^>]+)>; rel="${rel}"`).exec(answer.headers.get('link') ?? '')?.[1]

test('with an empty cursor, Link leads through pages behind one another, and back', async () => {
  for (const query of ['sort=due_at', 'q=report', 'completed=false&sort=-created_at,title']) {
    const whole = await list(query)
    const first = await app.fetch(`/tasks?${query}&limit=2&cursor=`)
    expect(linkOf(first, 'prev')).toBeUndefined()
    const met = [...ids(first)]
    let page = first
    for (let next = linkOf(page, 'next'); next; next = linkOf(page, 'next')) {
      expect(next).not.toContain('skip')
      page = await app.fetch(next)
      expect(page.headers.get('x-total-count')).toBe(String(whole.length))
      met.push(...ids(page))
    }
    expect(met).toEqual(whole)
    for (let prev = linkOf(page, 'prev'); prev; prev = linkOf(page, 'prev')) page = await app.fetch(prev)
    expect(ids(page)).toEqual(ids(first))
    expect(ids(await app.fetch(linkOf(page, 'first')!))).toEqual(ids(first))
  }
})

test('a cursor of another list, or of what somebody else sees, is refused', async () => {
  const next = linkOf(await app.fetch('/tasks?limit=2&cursor=', { headers: root }), 'next')!
  expect((await app.fetch(next, { headers: root })).status).toBe(200)
  expectProblem(await app.fetch(next, { headers: anna }), 422)
  for (const more of ['&sort=-id', '&status=todo', '&q=report', '&user_id=1', '&label=home'])
    expectProblem(await app.fetch(next + more, { headers: root }), 422)
  // How much of it one reads at once is no part of the list.
  expect((await app.fetch(next.replace('limit=2', 'limit=50'), { headers: root })).status).toBe(200)
})

test('the number of all is exact where there are few', async () => {
  const { headers } = await app.fetch('/tasks?limit=1')
  expect([headers.get('x-total-count'), headers.get('x-total-count-exact')]).toEqual(['6', 'true'])
})
