import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import { WebSocket } from 'ws'
import { eventually } from '../support/eventually.ts'
import { kill } from '../support/processes.ts'
import { run, startServer, stop, temporaryFolder } from '../support/server.ts'
import { startUpstream } from '../support/upstream.ts'

// One for all, which spares them initdb.
const dataDir = temporaryFolder(afterAll)

function taskwire(args: string[], settings: Record<string, string> = {}) {
  return run('cli/taskwire.ts', args, { DATA_DIR: dataDir, ...settings }, dataDir)
}

/** Runs it to its end. */
async function finished(args: string[], settings: Record<string, string> = {}) {
  const program = taskwire(args, settings)
  const { code } = await program.exited
  return { code, out: program.out, err: program.err }
}

/** One that must not be asked for a server: nothing listens there. */
const nowhere = 'http://127.0.0.1:9'

test('--help names the commands and shows examples', async () => {
  const { code, out, err } = await finished(['--help'])
  expect({ code, err }).toEqual({ code: 0, err: [] })
  for (const command of [
    'serve',
    'migrate',
    'import',
    'watch',
    'health',
    'doctor',
    'user',
    'token',
    'config',
  ])
    expect(out.join('\n')).toMatch(new RegExp(`^ {2}${command}\\b`, 'm'))
  expect(out.join('\n')).toContain('Examples:\n  $ taskwire serve')
  expect((await finished(['watch', '--help'])).out.join('\n')).toContain('--json')
  expect((await finished(['import', '--help'])).out.join('\n')).toContain('TASKWIRE_TOKEN')
  expect((await finished(['user', 'create', '--help'])).out.join('\n')).toContain('--password-stdin')
})

test('--version prints that of the package', async () => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  for (const option of ['--version', '-V'])
    expect(await finished([option])).toEqual({ code: 0, out: [version], err: [] })
})

test('an unknown command fails and says so', async () => {
  const { code, out, err } = await finished(['serv'])
  expect({ code, out }).toEqual({ code: 1, out: [] })
  expect(err[0]).toBe("error: unknown command 'serv'")
})

test('config check: exit code 0, or 1 and a line for each mistake', async () => {
  expect(await finished(['config', 'check'])).toEqual({
    code: 0,
    out: [`The settings are valid. Access is open; the database is embedded in ${dataDir}.`],
    err: [],
  })
  const wrong = { PORT: 'http', IMPORTS: 'maybe', DATABASE_URL: 'redis://u:geheim@h', CORS_ORIGINS: 'x' }
  const { code, out, err } = await finished(['config', 'check'], wrong)
  expect({ code, out }).toEqual({ code: 1, out: [] })
  expect(err.map((line) => line.split(' ')[0]).sort()).toEqual(Object.keys(wrong).sort())
  expect(err.join()).not.toContain('geheim')
})

test('config print hides passwords and prints every setting', async () => {
  const { code, out } = await finished(['config', 'print'], {
    DATABASE_URL: 'postgresql+asyncpg://me:geheim@db.example/tasks?password=geheim',
    TODO_SOURCE_URL: 'https://me:geheim@todos.example/all',
    PORT: '9000',
  })
  expect(code).toBe(0)
  expect(out).toContain('PORT=9000')
  expect(out).toContain('IMPORTS=on')
  expect(out.find((line) => line.startsWith('TODO_SOURCE_URL'))).toBe(
    'TODO_SOURCE_URL=https://me:***@todos.example/all',
  )
  expect(out.find((line) => line.startsWith('DATABASE_URL'))).toMatch(
    /^DATABASE_URL=postgresql:\/\/me:\*\*\*@db/,
  )
  expect(out.join('\n')).not.toContain('geheim')
})

test('migrate: a fresh database, then one that is up to date', async () => {
  const first = await finished(['migrate'])
  expect({ code: first.code, err: first.err }).toEqual({ code: 0, err: [] })
  expect(first.out[0]).toBe('applied 0001-tasks-and-events')
  expect(first.out.every((line) => line.startsWith('applied '))).toBe(true)
  expect(await finished(['migrate'])).toEqual({ code: 0, out: ['The schema is up to date.'], err: [] })
})

test('doctor and health: beside a server, without one, and with something wrong', async () => {
  const settings = { IMPORTS: 'off', WEATHER: 'off', PORT: '0' }
  const statuses = async (more: Record<string, string>) => {
    const { code, out, err } = await finished(['doctor', '--json'], { ...settings, ...more })
    const { findings } = JSON.parse(out.join('\n')) as {
      findings: { check: string; status: string; message: string }[]
    }
    return { code, err, findings: new Map(findings.map((finding) => [finding.check, finding])) }
  }
  const alone = await statuses({})
  expect({ code: alone.code, err: alone.err }).toEqual({ code: 0, err: [] })
  expect(alone.findings.get('database')!.message).toMatch(
    /no server is running; PostgreSQL was started for this check and stopped again$/,
  )

  const server = await startServer({}, dataDir)
  const beside = await statuses({ PORT: server.port })
  expect({ code: beside.code, err: beside.err }).toEqual({ code: 0, err: [] })
  expect([...beside.findings.values()].map(({ status }) => status)).not.toContain('failure')
  expect(beside.findings.get('database')!.message).toMatch(/: a server of ours runs$/)
  expect(beside.findings.get('port')!.message).toMatch(/is ready$/)
  expect(await finished(['health'], { PORT: server.port })).toMatchObject({ code: 0, err: [] })
  expect(server.logged().filter(({ level }) => level !== 'info')).toEqual([])
  expect(await stop(server)).toMatchObject({ code: 0 })
  expect(await finished(['health'], { PORT: server.port })).toMatchObject({ code: 1, out: [] })

  const wrong = await statuses({ REDIS_URL: 'redis://:geheim@127.0.0.1:9' })
  expect({ code: wrong.code, err: wrong.err }).toEqual({ code: 1, err: ['1 of 8 checks failed'] })
})

test('import: without a server, then through one, and while its upstream is down', async () => {
  await using upstream = await startUpstream()
  const settings = { TODO_SOURCE_URL: upstream.url, PORT: '9' }
  const direct = await finished(['import', 'todos'], settings)
  expect(direct).toEqual({
    code: 0,
    out: ['Run 1 of todos: 20 created, 0 updated, 0 unchanged.'],
    err: ['No server is running; importing todos directly …'],
  })
  const unknown = await finished(['import', 'todo'], settings)
  expect({ code: unknown.code, last: unknown.err.at(-1) }).toEqual({
    code: 1,
    last: 'Importer "todo" does not exist. Importers: todos, currencies.',
  })

  const server = await startServer({ TODO_SOURCE_URL: upstream.url }, dataDir)
  expect(await finished(['import', 'todos'], { PORT: server.port })).toEqual({
    code: 0,
    out: ['Run 2 of todos: 0 created, 0 updated, 20 unchanged.'],
    err: [`Asking the server at ${server.url} to import todos …`],
  })
  const elsewhere = await finished(['import', 'todos', '--url', nowhere])
  expect(elsewhere.code).toBe(1)
  expect(elsewhere.err).toEqual([expect.stringMatching(`^No server answers at ${nowhere}: `)])
  upstream.answer((request) => request.socket.destroy())
  const failed = await finished(['import', 'todos', '--url', server.url])
  expect(failed.code).toBe(1)
  expect(failed.err.at(-1)).toMatch(/^Run 3 of "todos" failed: /)
  expect(await stop(server)).toMatchObject({ code: 0 })
})

test('watch prints events, connects again to a server that was restarted, and ends on SIGINT', async () => {
  const post = async (url: string, title: string) => {
    const headers = { 'content-type': 'application/json' }
    const response = await fetch(`${url}/tasks`, { method: 'POST', headers, body: JSON.stringify({ title }) })
    return ((await response.json()) as { id: number }).id
  }
  const server = await startServer({}, dataDir)
  const watch = taskwire(['watch'], { PORT: server.port })
  const json = taskwire(['watch', '--json', '--url', server.url, '--path', '/ws'])
  const head = taskwire(['watch', '--url', server.url])
  const listening = (times: number) => () =>
    [watch, json].every(({ err }) => err.filter((line) => line.startsWith('Listening on ')).length === times)
  await eventually(() => listening(1)() && head.err.length === 1, 'they listen')

  const first = await post(server.url, 'before')
  await eventually(() => watch.out.length === 1 && json.out.length === 1, 'they print')
  expect(watch.out[0]).toMatch(
    new RegExp(`^\\d\\d:\\d\\d:\\d\\d task_created #${first} "before" \\(todo\\)$`),
  )
  expect(JSON.parse(json.out[0]!)).toMatchObject({ type: 'task_created', data: { task: { id: first } } })

  // What `| head -1` does: the reader leaves after the first line.
  await eventually(() => head.out.length === 1, 'the third prints as well')
  head.child.stdout!.destroy()
  await eventually(async () => {
    await post(server.url, 'unread')
    return head.child.exitCode !== null
  }, 'it ends without its reader')
  expect({ exit: await head.exited, err: head.err.length }).toEqual({
    exit: { code: 0, signal: null },
    err: 1,
  })

  await stop(server)
  await eventually(() => watch.err.some((line) => line.includes('Not connected')), 'it tries again')
  expect(watch.err[1]).toMatch(/^The server closed the connection; trying again in [\d.]+ s$/)
  const again = await startServer({ PORT: server.port }, dataDir)
  await eventually(listening(2), 'they listen again', 20_000)
  const second = await post(again.url, 'after')
  const told = () => watch.out.some((line) => line.includes(`task_created #${second} "after"`))
  await eventually(told, 'it prints again')

  kill(watch.pid, 'SIGINT')
  kill(json.pid, 'SIGTERM')
  expect(await Promise.all([watch.exited, json.exited])).toEqual([
    { code: 0, signal: null },
    { code: 0, signal: null },
  ])
  await stop(again)
})

/** Runs it to its end with something piped in. */
function piped(args: string[], input: string) {
  const program = fileURLToPath(new URL('../../src/cli/taskwire.ts', import.meta.url))
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, DATA_DIR: dataDir }
  const ended = spawnSync(process.execPath, [program, ...args], {
    input,
    env,
    cwd: dataDir,
    encoding: 'utf8',
  })
  return { code: ended.status, out: ended.stdout, err: ended.stderr }
}

test('users and tokens are made on the embedded database of a running server, which hears of every change', async () => {
  const server = await startServer({ AUTH_MODE: 'required' }, dataDir)
  const password = 'correct horse battery'
  const create = (name: string, ...more: string[]) =>
    piped(['user', 'create', name, '--password-stdin', ...more], `${password}\n`)
  expect(create('anna', '--admin')).toEqual({ code: 0, out: 'Made the admin "anna"\n', err: '' })
  expect(create('bob')).toEqual({ code: 0, out: 'Made the user "bob"\n', err: '' })
  expect(create('Bob')).toEqual({ code: 1, out: '', err: 'The user name "Bob" is taken.\n' })
  expect(piped(['user', 'create', 'carl'], password)).toMatchObject({ code: 1, out: '' })

  const post = (path: string, body: object) => {
    const headers = { 'content-type': 'application/json' }
    return fetch(server.url + path, { method: 'POST', headers, body: JSON.stringify(body) })
  }
  const { refresh_token } = (await (await post('/auth/login', { username: 'bob', password })).json()) as {
    refresh_token: string
  }
  const made = await finished(['token', 'create', 'bob', '--name', 'x', '--scopes', 'read,write'])
  expect(made).toMatchObject({ code: 0, out: [expect.stringMatching(/^tw_/)] })
  const watch = taskwire(['watch', '--url', server.url], { TASKWIRE_TOKEN: made.out[0]! })
  await eventually(() => watch.err.length === 1, 'it listens')
  const socket = new WebSocket(`${server.ws}/ws`, { headers: { authorization: `Bearer ${made.out[0]}` } })
  onTestFinished(() => socket.terminate())
  await once(socket, 'open')
  const closed = once(socket, 'close')

  expect(await finished(['user', 'disable', 'bob'])).toEqual({
    code: 0,
    out: ['"bob" is disabled now; sessions ended: 1'],
    err: [],
  })
  const since = performance.now()
  expect((await closed)[0]).toBe(4401)
  expect(performance.now() - since).toBeLessThan(2_000)
  expect(await watch.exited).toEqual({ code: 1, signal: null })
  expect(watch.err.at(-1)).toMatch(/^The server refused the connection \(401\); .*TASKWIRE_TOKEN/)
  expect((await post('/auth/refresh', { refresh_token })).status).toBe(401)
  expect(await stop(server)).toMatchObject({ code: 0 })

  const listed = await finished(['user', 'list', '--json'])
  expect(listed.out.map((line) => JSON.parse(line))).toMatchObject([
    { username: 'anna', role: 'admin', disabled: false },
    { username: 'bob', role: 'user', disabled: true },
  ])
  expect({ code: listed.code, err: listed.err }).toEqual({ code: 0, err: [] })
})
