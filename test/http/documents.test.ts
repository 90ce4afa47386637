import { Ajv2020 } from 'ajv/dist/2020.js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../support/app.ts'
import { jobIs } from '../support/jobs.ts'

interface Schema {
  $ref?: string
  examples?: unknown[]
  example?: unknown
  items?: Schema
  properties?: object
}
interface Media {
  schema?: Schema
  example?: unknown
  examples?: Record<string, { value: unknown }>
}
interface Operation {
  summary?: string
  parameters?: { name: string; in: string; required?: boolean; schema: object }[]
  requestBody?: { content: Record<string, Media> }
  responses: Record<string, { description: string; content?: Record<string, Media> }>
}

let app: TestApp
let document: {
  openapi: string
  info: Record<string, string>
  paths: Record<string, Record<string, Operation>>
  components: { schemas?: Record<string, Schema> }
}
let operations: [string, Operation][]
beforeAll(async () => {
  app = await startTestApp()
  document = (await app.fetch('/openapi.json')).body
  operations = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]): [string, Operation] => [
      `${method.toUpperCase()} ${path}`,
      operation,
    ]),
  )
})
afterAll(() => app[Symbol.asyncDispose]())

const resolved = (schema: Schema = {}): Schema =>
  schema.$ref ? document.components.schemas![schema.$ref.split('/').at(-1)!]! : schema
/** A schema that can be compiled by itself. */
const whole = (schema: Schema = {}) => ({ ...schema, components: document.components })

function examplesOf({ schema: given, example, examples }: Media): unknown[] {
  const schema = resolved(given)
  const items = resolved(schema.items).examples?.map((item) => [item]) ?? []
  const named = Object.values(examples ?? {}).map(({ value }) => value)
  return [
    ...named,
    ...(schema?.examples ?? []),
    ...items,
    ...[example, schema?.example].filter((e) => e !== undefined),
  ]
}
const entries = (content: Record<string, Media> | undefined) => Object.entries(content ?? {})
/** What an operation answers when all is well; WebSocket handshakes answer 101. */
const successes = ({ responses }: Operation) =>
  Object.entries(responses).filter(([status]) => /^(2..|101)$/.test(status))

describe('the OpenAPI document', () => {
  test('is OpenAPI 3.1 and lists every registered route of the contract', () => {
    expect(document.openapi).toMatch(/^3\.1\./)
    expect(document.info).toMatchObject({
      title: 'Taskwire',
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
    })
    expect(operations.map(([name]) => name)).toEqual(
      expect.arrayContaining([
        'GET /tasks',
        'POST /tasks',
        'POST /tasks/batch',
        'GET /tasks/export',
        'GET /tasks.ics',
        'GET /tasks/{id}',
        'PATCH /tasks/{id}',
        'PUT /tasks/{id}',
        'DELETE /tasks/{id}',
        'POST /tasks/{id}/restore',
        'POST /tasks/{id}/retry',
        'POST /tasks/{id}/cancel',
        'GET /tasks/{id}/runs',
        'GET /queue',
        'POST /task-generator/run',
        'GET /importers',
        'POST /importers/{name}/run',
        'GET /importers/{name}/runs',
        'GET /ws',
        'GET /ws/tasks',
        'GET /health',
        'GET /health/ready',
        'POST /auth/register',
        'POST /auth/login',
        'POST /auth/refresh',
        'POST /auth/logout',
        'GET /auth/me',
        'POST /auth/password',
        'GET /auth/sessions',
        'DELETE /auth/sessions/{id}',
        'POST /auth/tokens',
        'GET /auth/tokens',
        'DELETE /auth/tokens/{id}',
        'POST /auth/ticket',
        'POST /auth/setup',
        'GET /users',
        'PATCH /users/{id}',
      ]),
    )
  })

  test('every operation has its own summary, and a success response with a description', () => {
    const summaries = operations.map(([, { summary }]) => summary)
    expect(summaries.every((summary) => /^\w.{5}/.test(summary ?? ''))).toBe(true)
    expect(new Set(summaries).size).toBe(summaries.length)
    for (const [name, operation] of operations) {
      expect([name, successes(operation).length > 0]).toEqual([name, true])
    }
  })

  test('every request body and every response body of a success has an example', () => {
    for (const [name, operation] of operations) {
      const media = [
        ...entries(operation.requestBody?.content),
        ...successes(operation).flatMap(([, { content }]) => entries(content)),
      ]
      for (const [type, one] of media)
        expect([name, type, examplesOf(one).length > 0]).toEqual([name, type, true])
    }
    const bodies = operations.filter(([, { requestBody }]) => requestBody).map(([name]) => name)
    expect(bodies).toEqual(expect.arrayContaining(['POST /tasks', 'PATCH /tasks/{id}', 'PUT /tasks/{id}']))
  })

  test('every example matches its schema', () => {
    const ajv = new Ajv2020({ allErrors: true, strict: false, validateFormats: false })
    let count = 0
    for (const [name, { requestBody, responses }] of operations) {
      const contents = [requestBody?.content, ...Object.values(responses).map(({ content }) => content)]
      for (const [type, media] of contents.flatMap(entries)) {
        const validate = ajv.compile(whole(media.schema))
        for (const example of examplesOf(media)) {
          count++
          expect([name, type, validate(example), validate.errors]).toEqual([name, type, true, null])
        }
      }
    }
    expect(count).toBeGreaterThan(50)
  })

  test('every parameter in a path is declared, and each example of a request works as it stands', async () => {
    for (const [name, { parameters = [] }] of operations) {
      const declared = parameters.filter(({ in: place }) => place === 'path').map((one) => one.name)
      expect([name, declared]).toEqual([name, [...name.matchAll(/\{(\w+)\}/g)].map((match) => match[1])])
    }
    for (const [name, { requestBody }] of operations) {
      const [method, path] = name.split(' ') as [string, string]
      // Those of accounts need one another's answers: openapi-auth.test.ts.
      if (/^\/(auth|users|calendar-feeds)\b/.test(path)) continue
      for (const example of examplesOf(requestBody?.content['application/json'] ?? {})) {
        const answer = await app.send(method, path.replace('{id}', '1').replace('{key}', 'USD'), example)
        const expected = method === 'POST' && path !== '/tasks/batch' ? 201 : 200
        expect([name, answer.status]).toEqual([name, expected])
      }
    }
  })

  test('every operation documents its errors as problem details', () => {
    for (const [name, { responses }] of operations) {
      const failures = Object.entries(responses).filter(([status]) => /^[45]/.test(status))
      if (!name.includes('/health')) {
        const statuses = failures.map(([status]) => status)
        expect([name, statuses]).toEqual([name, expect.arrayContaining(['401', '403', '503'])])
      }
      for (const [status, { content }] of failures) {
        const media = content?.['application/problem+json']
        const example = examplesOf(media ?? {})[0]
        expect([name, example]).toEqual([
          name,
          expect.objectContaining({ status: Number(status), title: expect.any(String) }),
        ])
      }
    }
  })

  test('a response has exactly the documented fields', async () => {
    const ajv = new Ajv2020({ strict: false, validateFormats: false })
    await app.send('POST', '/tasks', { title: 'x' })
    const executable = await app.fetch('/tasks', { method: 'POST' })
    await jobIs(app, executable.body.id, 'succeeded')
    const answers = {
      '/tasks': '/tasks',
      '/tasks/{id}': '/tasks/1',
      '/tasks/{id}/runs': `/tasks/${executable.body.id}/runs`,
      '/queue': '/queue',
      '/analytics': '/analytics',
      '/importers': '/importers',
      '/health': '/health',
      '/health/ready': '/health/ready',
    }
    for (const [path, url] of Object.entries(answers)) {
      const { schema } = document.paths[path]!.get!.responses['200']!.content!['application/json']!
      const { body } = await app.fetch(url)
      const validate = ajv.compile(whole(schema))
      expect([path, validate(body), validate.errors]).toEqual([path, true, null])
      const one = Array.isArray(body) ? body[0] : body
      const described = resolved(Array.isArray(body) ? resolved(schema).items : schema)
      // Told of what is in the trash only.
      const { deleted_at: _, ...properties } = described.properties as Record<string, unknown>
      expect(Object.keys(one).toSorted()).toEqual(Object.keys(properties).toSorted())
    }
  })
})

/** Follows redirects; what it ends at must be there. */
async function page(path: string): Promise<{ at: string; html: string; policy: string }> {
  const response = await fetch(app.url + path)
  expect(response.status).toBe(200)
  expect(new URL(response.url).origin).toBe(new URL(app.url).origin)
  expect(response.headers.get('content-type')).toMatch(/^text\/html/)
  return {
    at: response.url,
    html: await response.text(),
    policy: response.headers.get('content-security-policy') ?? '',
  }
}

describe.each(['/docs', '/docs/', '/swagger', '/swagger/', '/redoc', '/redoc/', '/'])(
  'the page %s',
  (path) => {
    test('loads its scripts and styles, and nothing from another host', async () => {
      const { at, html } = await page(path)
      const loaded = [...html.matchAll(/\s(?:src|href)\s*=\s*["']?([^"'\s>]+)/gi)].map(
        (match) => new URL(match[1]!, at),
      )
      expect(loaded.length).toBeGreaterThan(0)
      for (const url of loaded) {
        if (url.protocol === 'data:') continue
        expect(url.origin).toBe(new URL(app.url).origin)
        const asset = await fetch(url)
        expect([url.pathname, asset.status]).toEqual([url.pathname, 200])
        const type = asset.headers.get('content-type')
        if (url.pathname.endsWith('.js')) expect(type).toMatch(/javascript/)
        if (url.pathname.endsWith('.css')) expect(type).toMatch(/css/)
        expect((await asset.arrayBuffer()).byteLength).toBeGreaterThan(0)
      }
      expect(html).not.toMatch(/https?:\/\/(?!www\.w3\.org)/)
    })

    test('finds the document', async () => {
      const { at, html } = await page(path)
      const scripts = [...html.matchAll(/<script[^>]+src=["']([^"']+initializer[^"']*)/gi)]
      const texts = await Promise.all(scripts.map(async ([, src]) => (await fetch(new URL(src!, at))).text()))
      const specification = /spec-url="([^"]+)"/.exec(html)?.[1]
      if (specification) {
        expect((await app.fetch(specification)).body).toEqual(document)
      } else {
        expect(texts.join('')).toContain('resolveUrl')
        const { pathname } = new URL(at)
        expect((await app.fetch(`/${pathname.split('/')[1]}/json`)).body).toEqual(document)
      }
    })
  },
)

test('the root redirects to the documentation', async () => {
  expect((await page('/')).at).toMatch(/\/docs/)
})
