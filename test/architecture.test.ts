import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { expect, test } from 'vitest'

interface Module {
  /** Path below src, such as `events/relay.ts`. */
  path: string
  text: string
  /** Modules of src it imports, as paths below src. */
  imports: string[]
  /** Packages it imports, without their subpaths. */
  packages: string[]
}

const src = join(import.meta.dirname, '../src')
const modules = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts'))
  .map(read)
const byPath = new Map(modules.map((module) => [module.path, module]))

function read(path: string): Module {
  const text = readFileSync(join(src, path), 'utf8')
  const specifiers = [...text.matchAll(/^(?:import|export)\s[^;]*?from '([^']+)'|import\('([^']+)'\)/gm)].map(
    (match) => (match[1] ?? match[2])!,
  )
  return {
    path,
    text,
    imports: specifiers
      .filter((specifier) => specifier.startsWith('.'))
      .map((specifier) => relative(src, join(src, dirname(path), specifier))),
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

/** Who may import whom: a room imports from rooms of a lower level, and from itself. */
const levels: Record<string, number> = {
  core: 0,
  config: 1,
  logging: 1,
  database: 2,
  outbound: 2,
  redis: 2,
  events: 3,
  'rate-limit': 3,
  idempotency: 3,
  features: 4,
  importers: 4,
  jobs: 5,
  http: 5,
  'app.ts': 6,
  'serve.ts': 7,
  cli: 8,
  'main.ts': 8,
  'warm-up.ts': 8,
  'compile-cache.ts': 0,
}
const room = (path: string) => path.split('/')[0]!

function level(path: string): number {
  const found = levels[room(path)]
  if (found === undefined) throw new Error(`src/${path} is in no known room`)
  return found
}

test('imports point down', () => {
  const wrong = modules.flatMap(({ path, imports }) =>
    imports
      .filter((target) => room(target) !== room(path) && level(target) >= level(path))
      .map((target) => `${path} imports ${target}`),
  )
  expect(modules.length).toBeGreaterThan(50)
  expect(wrong).toEqual([])
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
  fastify: /^http\/|-routes\.ts$/,
  '@fastify/type-provider-json-schema-to-ts': /^http\/|-routes\.ts$/,
  '@fastify/swagger': /^http\/|-routes\.ts$/,
  '@fastify/websocket': /^http\/|-routes\.ts$/,
  pg: /^database\//,
  'pg-boss': /^jobs\/|^importers\/schedule\.ts$/,
  undici: /^outbound\/|^cli\//,
  ws: /^events\/|^cli\//,
  '@node-rs/argon2': /^features\/auth\//,
  jose: /^features\/auth\//,
  commander: /^cli\//,
  redis: /^redis\//,
  'rate-limiter-flexible': /^rate-limit\//,
  pino: /^logging\/|^cli\//,
}

test('drivers and frameworks stay in their rooms', () => {
  const wrong = modules.flatMap(({ path, packages }) =>
    packages
      .filter((name) => homes[name] && !homes[name].test(path))
      .map((name) => `${path} imports ${name}`),
  )
  expect(wrong).toEqual([])
})

test('the environment is read in one place', () => {
  const readers = modules.filter(({ text }) => text.includes('process.env')).map(({ path }) => path)
  expect(readers).toEqual(['config/env.ts'])
})

test('files stay small', () => {
  const lines = modules.map(({ path, text }) => ({ path, lines: text.split('\n').length }))
  expect(lines.filter((file) => file.lines > 400)).toEqual([])
  const sorted = lines.map((file) => file.lines).sort((a, b) => a - b)
  expect(sorted[Math.floor(sorted.length / 2)]).toBeLessThanOrEqual(90)
  expect(lines.filter((file) => file.lines > 180).length).toBeLessThanOrEqual(modules.length * 0.1)
})
