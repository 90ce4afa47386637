import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { startTestApp } from '../../test/support/app.ts'
import { createTestDatabase } from '../../test/support/database.ts'
import { eventually } from '../../test/support/eventually.ts'
import { freePort } from '../../test/support/free-port.ts'
import { finished, taskwire } from '../../test/support/program.ts'
import { startUpstream } from '../../test/support/upstream.ts'
import { serve } from '../serve.ts'

/** 127.0.0.1 in a form that is kept as it is, where others are called localhost. */
const HOST = '127.1'

test('serve is handed over', async () => {
  expect(await finished(['serve'])).toEqual({ error: '', out: ['served'], err: [] })
})

test('config check and print', async () => {
  const url = 'postgresql://me:geheim@db.example/tasks'
  expect(await finished(['config', 'check'], { DATABASE_URL: url, HOST: '0.0.0.0' })).toEqual({
    error: '',
    out: ['The settings are valid. Access is required; the database is yours.'],
    err: [],
  })
  expect((await finished(['config', 'check'], { PORT: 'x', IMPORTS: 'y' })).error).toBe(
    'PORT must be a whole number from 0 to 65535, got "x"\nIMPORTS must be one of on, off, got "y"',
  )
  const { out } = await finished(['config', 'print'], { DATABASE_URL: url })
  expect(out).toContain('DATABASE_URL=postgresql://me:***@db.example/tasks')
  expect(out).toContain('PORT=8000')
})

test('config docs prints what docs/configuration.md, in both languages, and .env.example hold', async () => {
  const root = new URL('../..', import.meta.url)
  for (const [args, file] of [
    [[], 'docs/configuration.md'],
    [['--ru'], 'docs/configuration.ru.md'],
    [['--env'], '.env.example'],
  ] as const) {
    const { out } = await finished(['config', 'docs', ...args])
    expect(`${out.join('\n')}\n`).toBe(readFileSync(new URL(file, root), 'utf8'))
  }
})

test('health: of a server that is ready, of one that is not, and of none', async () => {
  await using app = await startTestApp()
  const { port } = new URL(app.url)
  expect(await finished(['health'], { PORT: port })).toEqual({
    error: '',
    out: [`The server at http://localhost:${port} is ready.`],
    err: [],
  })
  const ill = createServer((_, response) => {
    response.writeHead(503, { 'content-type': 'application/problem+json' })
    response.end(JSON.stringify({ title: 'Service Unavailable', status: 503, detail: 'Down: database.' }))
  }).listen(0, '127.0.0.1')
  await once(ill, 'listening')
  onTestFinished(() => void ill.close())
  const url = `http://127.0.0.1:${(ill.address() as AddressInfo).port}`
  expect((await finished(['health', '--url', url])).error).toBe('Down: database.')
  expect((await finished(['health'], { PORT: String(await freePort()) })).error).toMatch(
    /^No server answers at http:\/\/localhost:\d+: .*ECONNREFUSED/,
  )
})

test('without --url, HOST and PORT say where the server is; where none answers, what to do is said', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'taskwire-test-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'tasks.jsonl')
  writeFileSync(file, '{"title":"x"}\n')
  const PORT = String(await freePort())
  for (const args of [['health'], ['export'], ['import', file]]) {
    expect(await finished(args, { HOST, PORT })).toEqual({
      error: `No server answers at http://${HOST}:${PORT}: connect ECONNREFUSED 127.0.0.1:${PORT}; if none runs there, start one with taskwire serve, or name another with --url`,
      out: [],
      err: [],
    })
  }
})

test('migrate says what it applied, and when there is nothing to do', async () => {
  await using database = await createTestDatabase()
  const settings = { DATABASE_URL: database.url }
  expect((await finished(['migrate'], settings)).out).toEqual(['The schema is up to date.'])
  await database.db.query({ text: 'DROP SCHEMA public CASCADE' })
  await database.db.query({ text: 'CREATE SCHEMA public' })
  const { error, out } = await finished(['migrate'], settings)
  expect(error).toBe('')
  expect(out[0]).toBe('applied 0001-tasks-and-events')
})

test('migrate on a database that cannot be reached', async () => {
  const { error } = await finished(['migrate'], {
    DATABASE_URL: `postgresql://127.0.0.1:${await freePort()}/x`,
  })
  expect(error).toMatch(/^The database in DATABASE_URL cannot be used: .*ECONNREFUSED/)
})

test('import runs directly where no server answers', async () => {
  await using database = await createTestDatabase()
  await using upstream = await startUpstream()
  const settings = {
    DATABASE_URL: database.url,
    TODO_SOURCE_URL: upstream.url,
    PORT: String(await freePort()),
  }
  expect(await finished(['import', 'todos'], settings)).toEqual({
    error: '',
    out: ['Run 1 of todos: 20 created, 0 updated, 0 unchanged.'],
    err: ['No server is running; importing todos directly …'],
  })
  expect((await finished(['import', 'tasks'], settings)).error).toBe(
    'Importer "tasks" does not exist. Importers: todos, currencies.',
  )
  upstream.answer((_request, response) => void response.writeHead(500).end())
  const failed = await finished(['import', 'todos'], settings)
  expect(failed.error).toBe('Run 2 of todos failed: status 500 instead of 200')
  expect(failed.err).toContain('import failed')
})

test('import asks the server that runs', async () => {
  await using upstream = await startUpstream()
  await using app = await startTestApp({ TODO_SOURCE_URL: upstream.url })
  const { port } = new URL(app.url)
  expect(await finished(['import', 'todos'], { PORT: port })).toEqual({
    error: '',
    out: ['Run 1 of todos: 20 created, 0 updated, 0 unchanged.'],
    err: [`Asking the server at http://localhost:${port} to import todos …`],
  })
  expect((await finished(['import', 'tasks', '--url', app.url])).error).toMatch(
    /^Importer "tasks" does not exist/,
  )
  upstream.answer((_request, response) => void response.writeHead(500).end())
  expect((await finished(['import', 'todos', '--url', app.url])).error).toMatch(/status 500 instead of 200/)
  const nowhere = `http://127.0.0.1:${await freePort()}`
  expect((await finished(['import', 'todos', '--url', nowhere])).error).toMatch(
    new RegExp(`^No server answers at ${nowhere}: `),
  )
})

test('watch prints events until it is interrupted', async () => {
  await using app = await startTestApp()
  const interrupted = new AbortController()
  const { port } = new URL(app.url)
  const plain = taskwire(['watch'], { HOST, PORT: port }, interrupted)
  const json = taskwire(['watch', '--json', '--url', app.url], {}, interrupted)
  await eventually(() => plain.err.length === 1 && json.err.length === 1, 'they listen')
  expect(plain.err).toEqual([`Listening on http://${HOST}:${port} (Ctrl-C ends it)`])

  const { body } = await app.send('POST', '/tasks', { title: 'seen', status: 'in_progress' })
  await app.fetch(`/tasks/${body.id}`, { method: 'DELETE' })
  await eventually(() => plain.out.length === 2 && json.out.length === 2, 'they print')
  expect(plain.out.map((line) => line.slice(9))).toEqual([
    `task_created #${body.id} "seen" (in_progress)`,
    `task_deleted #${body.id}`,
  ])
  expect(JSON.parse(json.out[1]!)).toMatchObject({ type: 'task_deleted', data: { task_id: body.id } })
  interrupted.abort()
  expect(await Promise.all([plain.done, json.done])).toEqual(['', ''])
})

test('watch begins after an event that is named, and says when some are no longer kept', async () => {
  await using app = await startTestApp()
  const interrupted = new AbortController()
  for (const title of ['first', 'second']) await app.send('POST', '/tasks', { title })
  const { out, done } = taskwire(
    ['watch', '--url', app.url, '--after', '1', '--path', '/ws'],
    {},
    interrupted,
  )
  await eventually(() => out.length === 1, 'it prints')
  expect(out[0]).toContain('"second"')

  await app.database.rows('UPDATE event_horizon SET purged_to = 2')
  const late = taskwire(['watch', '--url', app.url, '--after', '1'], {}, interrupted)
  await eventually(() => late.err.length === 2, 'it says so')
  expect(late.err[1]).toBe('Some of what was missed is no longer kept; going on with what comes')
  await app.send('POST', '/tasks', { title: 'third' })
  await eventually(() => late.out.length === 1, 'it goes on')
  interrupted.abort()
  expect(await Promise.all([done, late.done])).toEqual(['', ''])
})

test('watch refuses what there is not', async () => {
  expect((await finished(['watch', '--path', '/ws/nothing'])).error).toMatch(
    /^There is no stream "\/ws\/nothing"; there are \/ws, \/ws\/tasks/,
  )
  expect((await finished(['watch', '--after', 'x'])).error).toBe('"x" is no id of an event')
  expect((await finished(['watch', '--url', 'localhost:8000'])).error).toMatch(
    /^"localhost:8000" is no address/,
  )
})

test('watch shows no character of a title that could steer the terminal', async () => {
  await using app = await startTestApp()
  const interrupted = new AbortController()
  const plain = taskwire(['watch', '--url', app.url], {}, interrupted)
  const json = taskwire(['watch', '--json', '--url', app.url], {}, interrupted)
  await eventually(() => plain.err.length > 0 && json.err.length > 0, 'both listen')
  const title = 'a\x1b]0;owned\x07\nb\x9b2J\x7fc'
  await app.send('POST', '/tasks', { title })
  await eventually(() => plain.out.length > 0 && json.out.length > 0, 'the event')
  expect(plain.out[0]).toMatch(/ task_created #1 "a\ufffd]0;owned\ufffd\ufffdb\ufffd2J\ufffdc" \(todo\)$/)
  expect(json.out[0]).toMatch(/^[\x20-\x7e]+$/)
  expect(JSON.parse(json.out[0]!).data.task.title).toBe(title)
  interrupted.abort()
  await Promise.all([plain.done, json.done])
})

test('watch tries again where nobody listens, and can be interrupted meanwhile', async () => {
  const interrupted = new AbortController()
  const url = `http://127.0.0.1:${await freePort()}`
  const { err, done } = taskwire(['watch', '--url', url], {}, interrupted)
  await eventually(() => err.length >= 2, 'two attempts')
  expect(err[0]).toMatch(/^Not connected: .*ECONNREFUSED.*; trying again in 0\.\d s$/)
  interrupted.abort()
  expect(await done).toBe('')
})

test('the server runs until a signal comes; a start that fails is one line', async () => {
  await using database = await createTestDatabase()
  const folder = mkdtempSync(join(tmpdir(), 'taskwire-test-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  onTestFinished(() => void vi.unstubAllEnvs())
  const file = join(folder, 'app.log')
  const settings = {
    DATABASE_URL: database.url,
    DATA_DIR: folder,
    PORT: '0',
    IMPORTS: 'off',
    LOG_FILE: file,
    LOG_LEVEL: 'info',
  }
  for (const [name, value] of Object.entries(settings)) vi.stubEnv(name, value)
  // Stays replaced: the timer that cuts off a slow shutdown outlives this one.
  const exit = vi.spyOn(process, 'exit').mockReturnValue(undefined as never)
  const logged = () =>
    readFileSync(file, 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line): { msg: string; url?: string } => JSON.parse(line))

  const ended = serve()
  const ready = await eventually(
    () => logged().find(({ msg }) => msg.startsWith('taskwire is ready')),
    'ready',
  )
  expect((await fetch(`${ready.url}/health`)).status).toBe(200)
  vi.stubEnv('PORT', new URL(ready.url!).port)
  expect(await serve()).toBe(1)
  expect(logged().at(-1)!.msg).toMatch(/^PORT \d+ on 127\.0\.0\.1 is in use by another program/)
  process.emit('SIGTERM', 'SIGTERM')
  expect(await ended).toBe(0)
  expect(
    logged()
      .map(({ msg }) => msg)
      .slice(-2),
  ).toEqual(['SIGTERM received, stopping', 'stopped'])

  const stderr = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
  onTestFinished(() => stderr.mockRestore())
  vi.stubEnv('PORT', 'x')
  expect(await serve()).toBe(1)
  expect(stderr).toHaveBeenCalledExactlyOnceWith('PORT must be a whole number from 0 to 65535, got "x"\n')
  expect(exit).not.toHaveBeenCalled()
})
