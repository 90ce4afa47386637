import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { expect, test } from 'vitest'

interface Module {
  /** Path below its root, such as `events/relay.ts`. */
  path: string
  text: string
  /** Modules it imports by a relative path, as paths below its root. */
  imports: string[]
  /** Packages it imports, without their subpaths. */
  packages: string[]
}

const src = join(import.meta.dirname, '../src')
const client = join(import.meta.dirname, '../packages/client/src')
const modules = modulesOf(src)
const byPath = new Map(modules.map((module) => [module.path, module]))

function modulesOf(root: string): Module[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts'))
    .map((path) => read(root, path))
}

function read(root: string, path: string): Module {
  const text = readFileSync(join(root, path), 'utf8')
  const specifiers = [...text.matchAll(/^(?:import|export)\s[^;]*?from '([^']+)'|import\('([^']+)'\)/gm)].map(
    (match) => (match[1] ?? match[2])!,
  )
  return {
    path,
    text,
    imports: specifiers
      .filter((specifier) => specifier.startsWith('.') && specifier.endsWith('.ts'))
      .map((specifier) => relative(root, join(root, dirname(path), specifier))),
    packages: specifiers
      .filter((specifier) => !specifier.startsWith('.') && !specifier.startsWith('node:'))
      .map((specifier) =>
        specifier
          .split('/')
          .slice(0, specifier.startsWith('@') ? 2 : 1)
          .join('/'),
      ),
  }
}

/** A floor imports from lower floors, and from itself. */
const levels: Record<string, number> = {
  core: 0,
  platform: 1,
  events: 2,
  features: 3,
  app: 4,
  'serve.ts': 5,
  cli: 6,
  'main.ts': 6,
  'warm-up.ts': 6,
}
/** Published by itself, and used here from its source: type stripping does not reach into node_modules. */
const CLIENT = relative(src, join(client, 'index.ts'))
const room = (path: string) => path.split('/')[0]!

function level(path: string): number {
  const found = levels[room(path)]
  if (found === undefined) throw new Error(`src/${path} is in no known room`)
  return found
}

test('imports point down', () => {
  const wrong = modules.flatMap(({ path, imports }) =>
    imports
      .filter((target) => target !== CLIENT)
      .filter((target) => room(target) !== room(path) && level(target) >= level(path))
      .map((target) => `${path} imports ${target}`),
  )
  expect(modules.length).toBeGreaterThan(50)
  expect(wrong).toEqual([])
})

test('the client package is for the commands, and knows neither the server nor Node nor other packages', () => {
  const users = modules.filter(({ imports }) => imports.includes(CLIENT)).map(({ path }) => room(path))
  expect(new Set(users)).toEqual(new Set(['cli']))
  const own = modulesOf(client)
  expect(own.length).toBeGreaterThan(10)
  const wrong = own.filter(
    ({ text, imports, packages }) =>
      packages.length > 0 ||
      imports.some((target) => target.startsWith('..')) ||
      /from 'node:|\b(?:process|Buffer|document|window)\b\./.test(text),
  )
  expect(wrong.map(({ path }) => path)).toEqual([])
})

test('core imports nothing of src and does no I/O', () => {
  const wrong = modules
    .filter(({ path }) => room(path) === 'core')
    .filter(
      ({ imports, text }) => imports.some((target) => room(target) !== 'core') || /from 'node:/.test(text),
    )
  expect(wrong.map(({ path }) => path)).toEqual([])
})

test('a feature is met through its index only', () => {
  const feature = (path: string) => path.split('/')[1]
  const wrong = modules.flatMap(({ path, imports }) =>
    imports
      .filter((target) => room(target) === 'features' && !target.endsWith('/index.ts'))
      .filter((target) => room(path) !== 'features' || feature(path) !== feature(target))
      .map((target) => `${path} imports ${target}`),
  )
  expect(wrong).toEqual([])
})

/** Rooms of the platform that others import only through their index. */
const indexed = ['platform/queue', 'platform/messaging/nats', 'platform/messaging/rabbitmq']

test('a platform room that has an index is imported only through it', () => {
  const wrong = modules.flatMap(({ path, imports }) =>
    imports
      .filter((target) => indexed.includes(dirname(target)) && !target.endsWith('/index.ts'))
      .filter((target) => dirname(path) !== dirname(target))
      .map((target) => `${path} imports ${target}`),
  )
  for (const folder of indexed) expect(byPath.has(`${folder}/index.ts`)).toBe(true)
  expect(wrong).toEqual([])
})

test('there are no import cycles', () => {
  const done = new Set<string>()
  const cycles: string[] = []
  const visit = (path: string, trail: string[]): void => {
    if (trail.includes(path)) cycles.push([...trail.slice(trail.indexOf(path)), path].join(' -> '))
    else if (!done.has(path)) {
      for (const target of byPath.get(path)?.imports ?? []) visit(target, [...trail, path])
      done.add(path)
    }
  }
  for (const { path } of modules) visit(path, [])
  expect(cycles).toEqual([])
})

/** Packages that belong to some rooms or files only. */
const homes: Record<string, RegExp> = {
  fastify: /^platform\/http\/|-routes\.ts$/,
  '@fastify/type-provider-json-schema-to-ts': /^platform\/http\/|-routes\.ts$/,
  '@fastify/swagger': /^platform\/http\/|-routes\.ts$/,
  '@fastify/websocket': /^platform\/http\/|-routes\.ts$/,
  pg: /^platform\/database\//,
  'pg-boss': /^platform\/queue\//,
  undici: /^platform\/outbound\//,
  '@nats-io/jetstream': /^platform\/messaging\/nats\//,
  '@nats-io/transport-node': /^platform\/messaging\/nats\//,
  'fast-xml-parser': /^features\/imports\/currencies\//,
  ws: /^events\//,
  '@node-rs/argon2': /^features\/auth\//,
  jose: /^features\/auth\//,
  commander: /^cli\//,
  '@aws-sdk/client-s3': /^platform\/blob-storage\//,
  '@fastify/busboy': /^features\/attachments\//,
  redis: /^platform\/redis\//,
  'rate-limiter-flexible': /^platform\/rate-limit\//,
  amqplib: /^platform\/messaging\/rabbitmq\//,
  pino: /^platform\/logging\/|^cli\//,
}

test('drivers and frameworks stay in their rooms', () => {
  const wrong = modules.flatMap(({ path, packages }) =>
    packages
      .filter((name) => homes[name] && !homes[name].test(path))
      .map((name) => `${path} imports ${name}`),
  )
  expect(wrong).toEqual([])
})

test('no URL pattern decides who may call a route', () => {
  const deciders = ['access', 'rate-limit'].map((name) => `platform/http/plugins/${name}.ts`)
  for (const path of [...deciders, 'platform/http/server.ts']) {
    const { text } = byPath.get(path)!
    const lines = text.split('\n').filter((line) => /\burl\b|\/\^\\\/|routeOptions/.test(line))
    expect([path, lines]).toEqual([path, []])
    expect(text).toContain('configOf')
  }
})

test('only the feature of tasks writes tasks', () => {
  const writers = modules.filter(({ text }) =>
    /INSERT INTO tasks\b|UPDATE tasks\b|DELETE FROM tasks\b/.test(text),
  )
  expect(writers.length).toBeGreaterThan(0)
  expect(writers.map(({ path }) => path).filter((path) => !path.startsWith('features/tasks/'))).toEqual([])
})

test('the environment is read in one place', () => {
  const readers = modules.filter(({ text }) => text.includes('process.env')).map(({ path }) => path)
  expect(readers).toEqual(['platform/config/env.ts'])
})

test('files stay small', () => {
  const lines = modules.map(({ path, text }) => ({ path, lines: text.split('\n').length }))
  expect(lines.filter((file) => file.lines > 400)).toEqual([])
  const sorted = lines.map((file) => file.lines).sort((a, b) => a - b)
  expect(sorted[Math.floor(sorted.length / 2)]).toBeLessThanOrEqual(90)
  expect(lines.filter((file) => file.lines > 180).length).toBeLessThanOrEqual(modules.length * 0.1)
})

/** Conditions that compare the owner of a resource with a reader, in SQL or in TypeScript. */
const OWNER_COMPARISON =
  /ownerScope|IS NULL OR \S*user_id = |user_id [=!]== (?!null)|[=!]== \S*\buser_id\b|OR u\.id = \S*user_id\b|role = 'admin'/

test('only the access rooms compare owners', () => {
  const allowed = new Set([
    'core/access-scope.ts',
    'platform/access/scope-sql.ts',
    'events/audience.ts',
    // Changes of accounts: the last admin stays one.
    'features/users/user-store.ts',
    // The first admin is created only while there is none.
    'features/auth/first-admin.ts',
  ])
  for (const comparison of [
    '($1::integer IS NULL OR w.user_id = $1)',
    "u.role = 'admin' OR u.id = d.event_user_id",
    'resource.user_id !== actor.id',
    'owner === row.user_id',
  ])
    expect(comparison).toMatch(OWNER_COMPARISON)
  const comparing = modules.filter(({ text }) => OWNER_COMPARISON.test(text)).map(({ path }) => path)
  expect(comparing).toContain('core/access-scope.ts')
  expect(comparing.filter((path) => !allowed.has(path))).toEqual([])
})

/** Words that open a comment without a subject; see docs/style.md. */
const HEADLESS = /^(What|Of|Who|That|Where|As|So)\b/

test('the first sentence of a comment has a subject', () => {
  const openings = modules.flatMap(({ path, text }) => {
    const lines = text.split('\n').map((line) => /^\s*(?:\/\*\*?|\/\/|\*(?!\/))\s?(.*)$/.exec(line)?.[1])
    return lines.flatMap((line, i) => {
      // The first line of `/**` is empty if the text starts below it.
      const isFirst = lines[i - 1] === undefined || (lines[i - 1] === '' && lines[i - 2] === undefined)
      return line && isFirst ? [`${path}: ${line}`] : []
    })
  })
  expect(openings.length).toBeGreaterThan(1000)
  expect('core/version.ts: Of Taskwire.'.replace(/^.*?: /, '')).toMatch(HEADLESS)
  expect(openings.filter((opening) => HEADLESS.test(opening.replace(/^.*?: /, '')))).toEqual([])
})
