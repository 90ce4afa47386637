import { Ajv2020 } from 'ajv/dist/2020.js'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bearer } from '../support/accounts.ts'
import { type Answer, startTestApp, type TestApp } from '../support/app.ts'

interface Schema {
  $ref?: string
  items?: Schema
  properties?: object
}
interface Media {
  schema: Schema
  example?: Record<string, unknown>
  examples?: Record<string, { value: Record<string, unknown> }>
}
interface Operation {
  tags: string[]
  security?: object[]
  requestBody?: { content: Record<string, Media> }
  responses: Record<string, { content?: Record<string, Media> }>
}

let app: TestApp
let document: {
  paths: Record<string, Record<string, Operation>>
  security: Record<string, string[]>[]
  components: {
    schemas: Record<string, Schema>
    securitySchemes: { password: { flows: { password: { tokenUrl: string } } } }
  }
}
beforeAll(async () => {
  app = await startTestApp({ AUTH_MODE: 'required' })
  document = (await app.fetch('/openapi.json')).body
})
afterAll(() => app[Symbol.asyncDispose]())

const operations = () =>
  Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  )
const operation = (method: string, path: string) => document.paths[path]![method.toLowerCase()]!
const resolved = (schema: Schema): Schema =>
  schema.$ref ? document.components.schemas[schema.$ref.split('/').at(-1)!]! : schema

/** The example of a request as it stands in the document. */
function exampleOf(method: string, path: string): Record<string, unknown> {
  const { example, examples, schema } = operation(method, path).requestBody!.content['application/json']!
  const given =
    example ??
    Object.values(examples ?? {})[0]?.value ??
    (schema as { examples?: Record<string, unknown>[] }).examples?.[0]
  expect([path, given]).toEqual([path, expect.any(Object)])
  return given!
}

/** Fails unless the answer is one of those that the document tells of, in every field. */
function expectDescribed(method: string, path: string, { status, body, headers }: Answer): void {
  const described = operation(method, path).responses[status]
  expect([method, path, status, described !== undefined]).toEqual([method, path, status, true])
  const type = headers.get('content-type')?.split(';')[0]
  expect([path, described!.content !== undefined]).toEqual([path, type !== undefined])
  if (type === undefined) return
  const { schema } = described!.content![type]!
  const validate = new Ajv2020({ strict: false, validateFormats: false }).compile({
    ...schema,
    components: document.components,
  })
  expect([path, validate(body), validate.errors]).toEqual([path, true, null])
  if (status >= 400 || body.length === 0) return
  const whole = resolved(schema)
  const [one, fields] = Array.isArray(body) ? [body[0], resolved(whole.items!)] : [body, whole]
  expect(Object.keys(one).sort()).toEqual(Object.keys(fields.properties!).sort())
}

test('every route of accounts is in the document, but for the page of the setup link', () => {
  const registered = [...app.routes]
    .filter(([path]) => /^\/(auth|users)\b/.test(path))
    .flatMap(([path, methods]) =>
      [...methods.keys()].map((method) => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`),
    )
    .filter((name) => !/^(HEAD|OPTIONS) /.test(name) && name !== 'GET /auth/setup')
  const described = operations().map(({ method, path }) => `${method} ${path}`)
  expect(registered.length).toBeGreaterThanOrEqual(15)
  expect(registered.filter((name) => !described.includes(name))).toEqual([])
})

test('only what works without a token says so', async () => {
  expect(document.security).toEqual(expect.arrayContaining([{ bearer: [] }, { password: [] }]))
  for (const { method, path, operation } of operations()) {
    const answer = await app.fetch(path.replace('{id}', '1').replace('{name}', 'todos'), { method })
    const isPublic = operation.security?.length === 0
    // The setup refuses a wrong token, and without a body does not come to that.
    expect([method, path, answer.status !== 401]).toEqual([method, path, isPublic])
  }
})

test('the examples of requests work one after the other, and each answer is as described', async () => {
  const call = async (
    method: string,
    path: string,
    options: { token?: string; body?: object; id?: number | string } = {},
  ) => {
    const { token, body, id } = options
    const url = path.replace('{id}', String(id))
    const headers: Record<string, string> = token ? bearer(token) : {}
    const answer = body
      ? await app.send(method, url, body, headers)
      : await app.fetch(url, { method, headers })
    expect([method, path, Math.floor(answer.status / 100)]).toEqual([method, path, 2])
    expectDescribed(method, path, answer)
    return answer.body
  }
  const example = (path: string) => exampleOf('POST', path)

  const token = new URL(app.setupLink!).searchParams.get('token')!
  const chief = { ...example('/auth/setup'), token, username: 'chief' }
  const admin = await call('POST', '/auth/setup', { body: chief })
  await call('POST', '/auth/register', { body: example('/auth/register') })
  const first = await call('POST', '/auth/login', { body: example('/auth/login') })
  const { refresh_token } = first
  const second = await call('POST', '/auth/refresh', { body: { ...example('/auth/refresh'), refresh_token } })
  const body = example('/auth/password')
  const { access_token } = await call('POST', '/auth/password', { token: second.access_token, body })
  const mine = { token: access_token }
  expect(await call('GET', '/auth/me', mine)).toEqual(first.user)
  const made = await call('POST', '/auth/tokens', { ...mine, body: example('/auth/tokens') })
  await call('GET', '/auth/tokens', mine)
  await call('DELETE', '/auth/tokens/{id}', { ...mine, id: made.id })
  await call('POST', '/auth/ticket', mine)
  const [session] = await call('GET', '/auth/sessions', mine)
  await call('DELETE', '/auth/sessions/{id}', { ...mine, id: session.id })

  const { password } = chief as unknown as { password: string }
  const boss = await call('POST', '/auth/login', { body: { username: 'chief', password } })
  expect(boss.user.id).toBe(admin.id)
  const bosses = { token: boss.access_token }
  await call('GET', '/users', bosses)
  await call('PATCH', '/users/{id}', {
    ...bosses,
    id: first.user.id,
    body: exampleOf('PATCH', '/users/{id}'),
  })
  await call('POST', '/auth/logout', bosses)
})

test('Authorize of the documents works: a form at the token URL answers as OAuth 2.0 has it', async () => {
  const { tokenUrl } = document.components.securitySchemes.password.flows.password
  const { username, password } = exampleOf('POST', '/auth/register') as Record<string, string>
  const credentials = { username: `${username}2`, password: password! }
  await app.send('POST', '/auth/register', credentials)
  // What Swagger UI sends.
  const form = new URLSearchParams({ grant_type: 'password', scope: '', ...credentials })
  const { status, body, headers } = await app.fetch(tokenUrl, { method: 'POST', body: form })
  expect([status, body.token_type, body.expires_in]).toEqual([200, 'bearer', 1800])
  expect(headers.get('cache-control')).toBe('no-store')
  expect((await app.fetch('/tasks', { headers: bearer(body.access_token) })).status).toBe(200)
})

test('whatever is wrong with a request, the answer is one that the document tells of', async () => {
  const { body: grant } = await app.send('POST', '/auth/register', {
    username: 'wrong',
    password: 'correct horse battery',
  })
  const token = bearer(grant.access_token)
  const json = { 'content-type': 'application/json' }
  const seen = new Set<number>()
  for (const { method, path, operation } of operations()) {
    if (!/^\/(auth|users)\b/.test(path)) continue
    const hasBody = operation.requestBody !== undefined
    const attempts: RequestInit[] = [
      { headers: bearer('x') },
      { headers: { ...token, ...(hasBody && json) }, ...(hasBody && { body: '{"unknown":1}' }) },
      ...(hasBody
        ? [
            { headers: { ...token, ...json }, body: '{' },
            { headers: { ...token, 'content-type': 'text/plain' }, body: 'x' },
            { headers: { ...token, ...json }, body: `"${'x'.repeat(1024 * 1024)}"` },
          ]
        : []),
    ]
    if (path === '/auth/logout') attempts.splice(1)
    for (const id of ['2147483647', 'x']) {
      for (const attempt of attempts) {
        const answer = await app.fetch(path.replace('{id}', id), { ...attempt, method })
        expectDescribed(method, path, answer)
        seen.add(answer.status)
      }
    }
  }
  expect([...seen].filter((status) => status >= 400).sort()).toEqual([400, 401, 403, 404, 413, 415, 422])
})
