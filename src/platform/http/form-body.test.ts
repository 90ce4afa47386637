import fc from 'fast-check'
import { fastify } from 'fastify'
import { expect, onTestFinished, test } from 'vitest'
import { DomainError } from '../../core/errors.ts'
import { parseForm, parseFormBodies } from './form-body.ts'

/** Returns the thrown error as a comparable object. */
function failure(text: string): unknown {
  try {
    return parseForm(text)
  } catch (error) {
    return error
  }
}

test('the fields of any form come back as a browser wrote them', () => {
  const text = fc.string({ unit: 'binary', minLength: 1 }).filter((value) => value.isWellFormed())
  fc.assert(
    fc.property(
      fc.dictionary(fc.oneof(text, fc.constantFrom('__proto__', 'constructor')), text),
      (fields) => {
        const parsed = parseForm(new URLSearchParams(fields).toString())
        expect(Object.entries(parsed)).toEqual(expect.arrayContaining(Object.entries(fields)))
        expect(Object.keys(parsed)).toHaveLength(Object.keys(fields).length)
      },
    ),
  )
})

test('whatever is sent is read, or refused as the sender’s mistake', () => {
  const junk = fc.string({ unit: fc.constantFrom('a', '%', '4', '1', 'F', '&', '=', '+', '\0', 'é') })
  fc.assert(
    fc.property(junk, (text) => {
      const result = failure(text)
      if (result instanceof Error) expect([400, 422]).toContain((result as DomainError).status)
      else expect(Object.values(result as object).every((value) => value !== '')).toBe(true)
    }),
  )
})

test.each([
  ['', {}],
  ['a=b+c%2B%26%3D', { a: 'b c+&=' }],
  ['a=1=2&', { a: '1=2' }],
  ['username=x&client_id=&scope&&state=', { username: 'x' }],
  ['a=&a=1', { a: '1' }],
])('%j is %j', (text, fields) => {
  expect({ ...parseForm(text) }).toEqual(fields)
})

test('names of the prototype are names like others', () => {
  const parsed = parseForm('__proto__=x&toString=y')
  expect(Object.keys(parsed)).toEqual(['__proto__', 'toString'])
  expect(Object.getPrototypeOf(parsed)).toBeNull()
  expect(({} as Record<string, unknown>).x).toBeUndefined()
})

test.each(['scope=a&scope=b', 'scope=a&sc%6Fpe=a'])('%s is 422: given twice', (text) => {
  expect(failure(text)).toMatchObject({
    code: 'validation',
    errors: [{ path: 'body.scope', message: 'must not be given twice' }],
  })
})

test.each(['a=%', 'a=%4', 'a=%zz', '%=a', 'a=%ff', 'a=%c3%28', 'a=%ed%a0%80'])('%s is 400', (text) => {
  expect(failure(text)).toMatchObject({ code: 'bad-request' })
})

test('only the routes of the scope take forms', async () => {
  const app = fastify()
  onTestFinished(() => app.close())
  app.setErrorHandler((error, _request, reply) =>
    reply
      .code(error instanceof DomainError ? error.status : (error as { statusCode: number }).statusCode)
      .send(),
  )
  app.post('/json', async ({ body }) => body)
  app.register(async (scope) => {
    parseFormBodies(scope)
    scope.post('/login', async ({ body }) => ({ ...(body as object) }))
  })
  const post = (url: string, payload: string, type = 'application/x-www-form-urlencoded; charset=UTF-8') =>
    app.inject({ method: 'POST', url, payload, headers: { 'content-type': type } })
  expect((await post('/login', 'username=%C3%A9va&password=a+b')).json()).toEqual({
    username: 'éva',
    password: 'a b',
  })
  expect((await post('/login', '{"username":"x"}', 'application/json')).json()).toEqual({ username: 'x' })
  expect((await post('/login', 'a=1&a=2')).statusCode).toBe(422)
  expect((await post('/login', 'a=%')).statusCode).toBe(400)
  expect((await post('/json', 'username=x')).statusCode).toBe(415)
})
