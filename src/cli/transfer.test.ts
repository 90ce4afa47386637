import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import fc from 'fast-check'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import { bearer, register } from '../../test/support/accounts.ts'
import { startTestApp, type TestApp } from '../../test/support/app.ts'
import { eventually } from '../../test/support/eventually.ts'
import { finished, taskwire } from '../../test/support/program.ts'

const folder = mkdtempSync(join(tmpdir(), 'taskwire-transfer-'))
afterAll(() => rmSync(folder, { recursive: true }))
let files = 0
const fresh = (ending: string) => join(folder, `tasks-${++files}.${ending}`)
function file(ending: string, content: string | Uint8Array): string {
  const name = fresh(ending)
  writeFileSync(name, content)
  return name
}

/** The fields that an import can restore. */
async function contentOf(app: TestApp): Promise<object[]> {
  const rows = await app.database.rows(
    'SELECT title, description, status, priority, due_at, labels, city FROM tasks ORDER BY id',
  )
  return rows
}
const importInto = (app: TestApp, ...args: string[]) => finished(['import', ...args, '--url', app.url])

const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 60 }),
  fc.string({
    unit: fc.constantFrom('=', '+', '-', '@', "'", '"', ',', '\t', '\r', '\n', 'ы', '['),
    maxLength: 8,
  }),
)
const storable = (value: string) => !value.includes('\0') && value.isWellFormed()
const title = text
  .map((value) => value.trim())
  .filter((value) => value !== '' && storable(value) && Array.from(value).length <= 50)
const task = fc.record({
  title,
  description: fc.option(text.filter(storable)),
  status: fc.constantFrom('todo', 'in_progress', 'done', 'failed'),
  priority: fc.constantFrom('none', 'low', 'urgent'),
  due_at: fc.option(fc.constantFrom('2025-12-31T09:00:00.123456Z', '2026-02-28T00:00:00Z')),
  labels: fc.uniqueArray(title, { maxLength: 3 }),
  city: fc.option(title),
})

test.each(['jsonl', 'csv'])(
  'what is exported as %s is the same when it is imported elsewhere',
  async (format) => {
    await using from = await startTestApp()
    await using to = await startTestApp()
    const tasks = fc.sample(task, 1200)
    for (let i = 0; i < tasks.length; i += 400) {
      const operations = tasks.slice(i, i + 400).map((task) => ({ op: 'create', task }))
      expect((await from.send('POST', '/tasks/batch', { operations })).status).toBe(200)
    }
    const name = fresh(format)
    const exported = await finished(['export', name, '--url', from.url])
    expect(exported).toEqual({ error: '', out: [], err: [expect.stringMatching(/: (\d+ bytes|[\d.]+ MB)$/)] })
    expect(await importInto(to, name, '--dry-run')).toMatchObject({
      error: '',
      out: [`${name}: 1,200 tasks can be imported`],
    })
    expect(await contentOf(to)).toEqual([])
    expect(await importInto(to, name)).toMatchObject({ error: '', out: [`${name}: 1,200 tasks imported`] })
    expect(await contentOf(to)).toEqual(await contentOf(from))
    expect((await contentOf(to)).length).toBe(1200)
  },
)

const lines = (count: number, from = 1) =>
  Array.from({ length: count }, (_, i) => `${JSON.stringify({ title: `Task ${from + i}` })}\n`)
const titles = async (app: TestApp) =>
  (await app.database.rows<{ title: string }>('SELECT title FROM tasks ORDER BY id')).map(
    ({ title }) => title,
  )

test('a mistake ends an import, with its line; mended, the file goes on without doubles', async () => {
  await using app = await startTestApp()
  const all = lines(1100)
  const name = file('jsonl', [...all.slice(0, 700), '{"title":""}\n', ...all.slice(701)].join(''))
  const first = await importInto(app, name)
  expect(first.error).toBe(`${name}, line 701: title must not be empty`)
  expect(first.err).toEqual([expect.stringMatching(/^500 tasks before that are imported\. /)])
  expect(await titles(app)).toHaveLength(500)

  writeFileSync(name, all.join(''))
  const again = await importInto(app, name)
  expect(again).toEqual({
    error: '',
    out: [`${name}: 600 tasks imported; 500 tasks had been imported before (--again imports them once more)`],
    err: [],
  })
  expect(await titles(app)).toEqual(Array.from({ length: 1100 }, (_, i) => `Task ${i + 1}`))

  expect((await importInto(app, name)).out[0]).toMatch(/: 0 tasks imported; 1,100 tasks had been/)
  expect((await importInto(app, name, '--again')).out).toEqual([`${name}: 1,100 tasks imported`])
  expect(await titles(app)).toHaveLength(2200)
})

test('a run whose answer is lost is repeated without doubles', async () => {
  await using app = await startTestApp()
  // Passes everything on, and swallows the second answer.
  let posts = 0
  const proxy = createServer(async (request, response) => {
    const chunks = await request.toArray()
    const answer = await fetch(app.url + request.url, {
      method: request.method!,
      headers: request.headers as Record<string, string>,
      body: Buffer.concat(chunks),
    })
    const body = await answer.text()
    if (++posts === 2) request.socket.destroy()
    else response.writeHead(answer.status, { 'content-type': 'application/json' }).end(body)
  }).listen(0, '127.0.0.1')
  onTestFinished(() => void proxy.close())
  await once(proxy, 'listening')
  const { port } = proxy.address() as AddressInfo
  const name = file('jsonl', lines(1300).join(''))
  expect((await finished(['import', name, '--url', `http://127.0.0.1:${port}`])).error).toBe('')
  expect(posts).toBe(4)
  expect(await titles(app)).toEqual(Array.from({ length: 1300 }, (_, i) => `Task ${i + 1}`))
})

test('--dry-run tells every mistake, and asks no server', async () => {
  const name = file(
    'jsonl',
    [
      '{"title":"fine","id":5,"user_id":7,"job":{"state":"failed"},"weather":null}',
      '',
      'title',
      '[]',
      '{"title":5}',
      '{"title":"x","status":"done","completed":false}',
      '{"title":"x","titel":"y"}',
      '{"title":"x","due_at":"2025-02-30T00:00:00Z"}',
      `{"title":"${'x'.repeat(101)}"}`,
      '{"title":"x\\u0000"}',
      '{"title":"\x1b[2J","status":"\x1b"}',
      '{"__proto__":{"title":"x"}}',
      '{"title":"last"}',
    ].join('\n'),
  )
  const { error, out, err } = await finished(['import', name, '--dry-run', '--url', 'http://127.0.0.1:1'])
  expect([error, out]).toEqual([`${name}: 2 tasks can be imported, 10 cannot`, []])
  expect(err.map((line) => line.slice(name.length))).toEqual([
    ', line 3: is not a JSON object',
    ', line 4: is not a JSON object',
    ', line 5: title must be a string',
    ', line 6: completed contradicts status "done"',
    ', line 7: has an unknown field "titel"',
    expect.stringMatching(/^, line 8: due_at /),
    ', line 9: title must have at most 100 characters',
    expect.stringMatching(/^, line 10: title must not contain NUL/),
    ', line 11: is not a JSON object',
    ', line 12: has an unknown field "__proto__"',
  ])
})

test.each<[string, string | Uint8Array, RegExp]>([
  ['csv', '', /: line 1: there are no names of columns$/],
  ['csv', 'name,title\nx,y', /: line 1: there is no column "name" of tasks$/],
  ['csv', 'id,status\n1,todo', /: line 1: there is no column "title"$/],
  ['csv', 'title,Title\n1,2', /: line 1: the column "title" is there twice$/],
  ['csv', 'title,status\nx,todo\ny', /, line 3: has 1 cells, and the first line has 2$/],
  ['csv', 'title,status\nx,todo\n,todo', /, line 3: title is required$/],
  ['csv', 'title\n"x\ny\n', /: line 2: .* not closed$/],
  ['csv', 'title,labels\nx,[1', /, line 2: labels must be an array$/],
  ['jsonl', Buffer.from([0x7b, 0xff, 0xfe]), /: it is not text in UTF-8$/],
  ['jsonl', 'x'.repeat(1_100_000), /: line 1: the line does not end$/],
])('a bad %s file imports nothing: %.30j', async (ending, content, error) => {
  const name = file(ending, content)
  expect((await finished(['import', name, '--dry-run'])).error).toMatch(/cannot$|: /)
  const result = await finished(['import', name, '--url', 'http://127.0.0.1:1'])
  expect(result.error).toMatch(error)
  expect(result.out).toEqual([])
})

test('a table made by hand, from standard input, is taken as it is meant', async () => {
  await using app = await startTestApp()
  const table = 'Title,Status,Labels,Completed,ID\nMilk,,"home, shop",TRUE,7\n\n\'=1+1,In Progress,,,\n'
  const { done, out } = piped(['import', '-', '--format', 'csv', '--url', app.url], table)
  expect([await done, out]).toEqual(['', ['standard input: 2 tasks imported']])
  expect(await contentOf(app)).toMatchObject([
    { title: 'Milk', status: 'done', labels: ['home', 'shop'] },
    { title: '=1+1', status: 'in_progress', labels: [] },
  ])
  expect((await finished(['import', '-', '--url', app.url])).error).toBe(
    '-: the format is not clear from the name; give --format jsonl or csv',
  )
})

function piped(args: string[], input: string) {
  return taskwire(args, {}, { input: Readable.from([Buffer.from(input)]) as never })
}

test('what cannot be read or reached, or is not allowed, is one line', async () => {
  await using app = await startTestApp({ AUTH_MODE: 'required' })
  const name = file('jsonl', lines(1).join(''))
  expect((await finished(['export', join(folder, 'tasks.pdf'), '--url', app.url])).error).toMatch(
    /tasks\.pdf: the format is not clear from the name; give --format jsonl or csv$/,
  )
  expect((await finished(['import', join(folder, 'absent.csv')])).error).toMatch(
    /absent\.csv cannot be read: .*ENOENT/,
  )
  expect((await finished(['import', folder, '--format', 'csv'])).error).toMatch(/cannot be read: .*EISDIR/)
  for (const args of [
    ['import', name],
    ['export', fresh('csv')],
  ]) {
    expect((await finished([...args, '--url', app.url])).error).toMatch(/A token is needed: .*TASKWIRE_TOKEN/)
  }
  const { access_token } = await register(app, 'anna')
  const scopes = { name: 'reader', scopes: ['read'] }
  const { body } = await app.send('POST', '/auth/tokens', scopes, bearer(access_token))
  const reader = { TASKWIRE_TOKEN: body.token }
  expect((await finished(['import', name, '--url', app.url], reader)).error).toBe(
    `${name}, line 1: The token lacks the scope "write".`,
  )
  expect(await finished(['export', '--url', app.url, '--filter', 'status=open'], reader)).toMatchObject({
    error: expect.stringMatching(/^query\.status/),
    out: [],
  })
  expect(await titles(app)).toEqual([])
})

test('an export goes to standard output too, filtered; one that is cut off leaves no file', async () => {
  await using app = await startTestApp()
  await app.database.rows(
    `INSERT INTO tasks (title, weather, status)
     SELECT 'Task ' || n, jsonb_build_object('condition', repeat('ab', 5000)), CASE n WHEN 7 THEN 'done' ELSE 'todo' END
     FROM generate_series(1, 3000) n`,
  )
  const { done, written } = taskwire(['export', '--url', app.url, '--filter', 'status=done'])
  expect(await done).toBe('')
  expect(
    written()
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line).title),
  ).toEqual(['Task 7'])

  const interrupted = new AbortController()
  const name = fresh('jsonl')
  writeFileSync(name, 'of before')
  const cut = taskwire(['export', name, '--url', app.url], {}, { signal: interrupted.signal })
  const part = `${name}.part`
  await eventually(() => existsSync(part), 'it has begun')
  interrupted.abort()
  expect(await cut.done).toMatch(/^The export is not complete: /)
  expect(readdirSync(folder).filter((one) => one.endsWith('.part'))).toEqual([])
  expect(readFileSync(name, 'utf8')).toBe('of before')
})

test('an export that is interrupted before the server answers does not blame the server', async () => {
  const interrupted = new AbortController()
  const server = createServer(() => interrupted.abort()).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const { done } = taskwire(['export', '--url', url], {}, interrupted)
  expect(await done).toMatch(/abort/)
})
