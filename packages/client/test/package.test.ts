import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { startTestApp, type TestApp } from '../../../test/support/app.ts'
import { eventually } from '../../../test/support/eventually.ts'
import {
  type Consumer,
  compile,
  consumerConfig,
  installBuiltPackage,
  packageFolder,
} from './support/built-package.ts'

// The package as it is published, in a project of somebody else.

let consumer: Consumer
let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
  consumer = installBuiltPackage()
})
afterAll(async () => {
  await app[Symbol.asyncDispose]()
  consumer[Symbol.dispose]()
})

const examples = join(packageFolder, 'examples')
const nodeTypes = join(packageFolder, '../../node_modules/@types')

/** A folder of the project with these files, compiled there. */
function check(name: string, files: Record<string, string>, options: object): void {
  const folder = join(consumer.folder, name)
  mkdirSync(folder, { recursive: true })
  for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text)
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(consumerConfig(options)))
  compile('-p', folder)
}

test('it holds what it needs, and nothing else', () => {
  const files = readdirSync(consumer.installed, { recursive: true, encoding: 'utf8' })
  expect(files.filter((name) => !name.startsWith('dist')).toSorted()).toEqual([
    'LICENSE',
    'README.md',
    'README.ru.md',
    'package.json',
  ])
  expect(
    files.filter((name) => name.startsWith('dist/') && !/^dist\/[\w-]+\.(?:js|d\.ts)$/.test(name)),
  ).toEqual([])
  const manifest = JSON.parse(readFileSync(join(consumer.installed, 'package.json'), 'utf8'))
  expect(manifest).not.toHaveProperty('dependencies')
  expect(readFileSync(join(consumer.installed, 'LICENSE'), 'utf8')).toBe(
    readFileSync(join(packageFolder, '../../LICENSE'), 'utf8'),
  )
})

const read = (name: string) => readFileSync(join(examples, name), 'utf8')
const node = {
  module: 'nodenext',
  target: 'es2022',
  lib: ['es2022'],
  types: ['node'],
  typeRoots: [nodeTypes],
}
const page = {
  module: 'esnext',
  moduleResolution: 'bundler',
  target: 'es2022',
  lib: ['es2022', 'dom', 'dom.iterable'],
  types: [],
}

test('its types are right for programs of Node and for pages', () => {
  check('node', { 'tasks.ts': read('tasks.ts'), 'events.ts': read('events.ts') }, node)
  check('page', { 'page.ts': read('page.ts') }, page)
})

test('its types refuse what the server would', () => {
  const misuse = `
    import { createClient, type StreamItem } from '@taskwire/client'
    const { tasks, request, events } = createClient({ url: '' })
    // @ts-expect-error a title is needed
    void tasks.create({})
    // @ts-expect-error there is no such field
    void tasks.create({ title: 'x', titel: 'y' })
    // @ts-expect-error there is no such status
    void tasks.list({ status: ['finished'] })
    // @ts-expect-error there is no such route
    void request('GET /task')
    // @ts-expect-error the path needs an id
    void request('GET /tasks/{id}')
    // @ts-expect-error the id is a number
    void request('GET /tasks/{id}', { path: { id: 'x' } })
    // @ts-expect-error there is no such type
    events({ types: ['task_creatd'] })
    export async function narrow(item: StreamItem<'task_created' | 'task_deleted'>): Promise<number> {
      const { data } = await request('GET /tasks', { query: { limit: 1, sort: undefined } })
      const title: string = data[0]!.title
      if (item.type === 'task_deleted') return item.data.task_id
      if (item.type === 'reset') return Number(item.after)
      // @ts-expect-error it has a task, and no task_id
      item.data.task_id
      return item.data.task.id + title.length
    }
  `
  check('misuse', { 'misuse.ts': misuse }, page)
  const bare = misuse.replaceAll('@ts-expect-error', '')
  const told = () => check('wrong', { 'wrong.ts': bare }, page)
  expect(told).toThrow(/Property 'title' is missing/)
  expect(told).toThrow(/Did you mean '"task_created"'/)
})

test('every example of the documents has the type that is generated for it', () => {
  const document = (name: string) => JSON.parse(readFileSync(join(packageFolder, '../../docs', name), 'utf8'))
  const lines: string[] = []
  const say = (type: string, value: unknown) =>
    lines.push(`export const example${lines.length}: ${type} = ${JSON.stringify(value)}`)
  for (const [path, operations] of Object.entries<Record<string, Operation>>(
    document('openapi.json').paths,
  )) {
    for (const [method, { requestBody, responses }] of Object.entries(operations)) {
      const route = `Routes['${method.toUpperCase()} ${path}']`
      const body = requestBody?.content['application/json']
      if (body?.example) say(`${route}['body']`, body.example)
      for (const [status, { content }] of Object.entries(responses)) {
        const answer = content?.['application/json']
        if (status.startsWith('2') && answer?.example) say(`${route}['answer']`, answer.example)
      }
    }
  }
  const messages = Object.values<{ examples: { payload: { id?: string; type: string } }[] }>(
    document('asyncapi.json').components.messages,
  )
  for (const { payload } of messages.flatMap(({ examples }) => examples)) {
    if (payload.id !== undefined) say(`Extract<TaskwireEvent, { type: '${payload.type}' }>`, payload)
  }
  expect(lines.length).toBeGreaterThan(25)
  const head = `import type { Routes, TaskwireEvent } from '@taskwire/client'\n`
  check('documents', { 'examples.ts': head + lines.join('\n') }, page)
})

interface Operation {
  requestBody?: { content: Record<string, { example?: unknown }> }
  responses: Record<string, { content?: Record<string, { example?: unknown }> }>
}

/** An example as it stands, but for the address of the server. */
function runnable(name: string): string {
  const folder = join(consumer.folder, 'run')
  cpSync(examples, folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  writeFileSync(join(folder, name), read(name).replace('http://localhost:8000', app.url))
  return join(folder, name)
}

test('the example of requests does what it says', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [runnable('tasks.ts')])
  const [first, faster, runs] = stdout.trim().split('\n')
  expect(first).toMatch(/^\d+ Write it done$/)
  expect(faster).toMatch(/^Somebody was faster: /)
  expect(runs).toMatch(/^0 runs, request \S+$/)
})

test('the example of events does what it says, until it is interrupted', async () => {
  const child: ChildProcess = spawn(process.execPath, [runnable('events.ts')])
  onTestFinished(() => void child.kill('SIGKILL'))
  let out = ''
  child.stdout!.on('data', (data) => {
    out += data
  })
  // It says nothing when it is connected.
  await eventually(async () => {
    const { body } = await app.send('POST', '/tasks', { title: 'heard' })
    await app.fetch(`/tasks/${body.id}`, { method: 'DELETE' })
    return /^task_created heard\ntask_deleted \d+\n/m.test(out)
  }, 'it prints')
  const exited = once(child, 'exit')
  child.kill('SIGINT')
  expect(await exited).toEqual([0, null])
})

test('the READMEs show these examples, and no other', () => {
  const files = readdirSync(examples).map((name) => read(name).trim())
  for (const name of ['README.md', 'README.ru.md']) {
    const text = readFileSync(join(packageFolder, name), 'utf8')
    const shown = [...text.matchAll(/```ts\n(.*?)\n```/gs)].map(([, code]) => code!)
    expect([name, shown.toSorted()]).toEqual([name, files.toSorted()])
  }
})
