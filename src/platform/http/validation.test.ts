import { expect, test } from 'vitest'
import { DomainError, type FieldError } from '../../core/errors.ts'
import { validatorCompiler } from './validation.ts'

const compiler = validatorCompiler({
  normalizers: { trim: (text) => text.trim(), upper: (text) => text.toUpperCase() },
  formats: { even: { is: (text) => text.length % 2 === 0, message: 'must have an even length' } },
})
type Part = 'querystring' | 'params' | 'body' | 'headers'

/** Returns the schema of an object with these properties and no others. */
const closed = (
  properties: Record<string, { type: unknown; [keyword: string]: unknown }>,
  required: string[] = [],
) => ({
  type: 'object',
  required,
  properties,
  additionalProperties: false,
})

function check(part: Part, schema: ReturnType<typeof closed>, data: unknown) {
  const validate = compiler({ schema, httpPart: part, method: 'GET', url: '/' }) as (data: unknown) => {
    value?: unknown
    error?: DomainError
  }
  return validate(data)
}
function errorsOf(part: Part, schema: ReturnType<typeof closed>, data: unknown): FieldError[] {
  const { error } = check(part, schema, data)
  expect(error).toBeInstanceOf(DomainError)
  expect(error).toMatchObject({ code: 'validation', status: 422 })
  return error!.errors!
}

const Query = closed(
  {
    limit: { type: 'integer', minimum: 1, maximum: 1000, default: 100 },
    done: { type: 'boolean' },
    name: { type: 'string' },
    word: { type: 'array', items: { type: 'string', enum: ['A', 'B'], normalize: 'upper' } },
    number: { type: 'array', items: { type: 'integer' } },
  },
  ['limit'],
)

test('numbers and booleans written in a query become values, single ones become lists, defaults are filled in', () => {
  expect(check('querystring', Query, { limit: '7', done: 'false', name: '12', word: 'a' }).value).toEqual({
    limit: 7,
    done: false,
    name: '12',
    word: ['A'],
  })
  expect(check('querystring', Query, { word: ['a', 'B'], number: ['-1', '2'] }).value).toEqual({
    limit: 100,
    word: ['A', 'B'],
    number: [-1, 2],
  })
})

test.each([
  { limit: '' },
  { limit: '1e3' },
  { limit: '0x10' },
  { limit: '+5' },
  { limit: ' 5' },
  { limit: '5.0' },
  { limit: '٥' },
  { limit: 'NaN' },
  { limit: '9'.repeat(400) },
  { limit: ['5', '6'] },
])('the limit of the query %o is not an integer', (query) => {
  expect(errorsOf('querystring', Query, query)).toEqual([
    { path: 'query.limit', message: 'must be an integer' },
  ])
})

test.each(['TRUE', '1', 'yes', ''])('done=%s is not a boolean', (done) => {
  expect(errorsOf('querystring', Query, { done })).toEqual([
    { path: 'query.done', message: 'must be a boolean' },
  ])
})

test('values in a body are not converted', () => {
  const Body = closed({
    count: { type: 'integer' },
    on: { type: 'boolean' },
    text: { type: 'string' },
    note: { type: ['string', 'null'] },
  })
  const errors = errorsOf('body', Body, { count: '1', on: 'true', text: 5, note: 5 })
  expect(errors).toEqual([
    { path: 'body.count', message: 'must be an integer' },
    { path: 'body.on', message: 'must be a boolean' },
    { path: 'body.text', message: 'must be a string' },
    { path: 'body.note', message: 'must be a string or null' },
  ])
})

test('text is normalized before its length is checked, also if it may be null', () => {
  const title = { type: 'string', normalize: 'trim', minLength: 1, maxLength: 5 }
  const Body = closed({ title, note: { ...title, type: ['string', 'null'] } }, ['title'])
  expect(check('body', Body, { title: '  12345  ', note: ' x ' }).value).toEqual({
    title: '12345',
    note: 'x',
  })
  expect(check('body', Body, { title: '😀😀😀😀😀', note: null }).value).toEqual({
    title: '😀😀😀😀😀',
    note: null,
  })
  expect(errorsOf('body', Body, { title: ' \n\t ' })).toEqual([
    { path: 'body.title', message: 'must not be empty' },
  ])
  expect(errorsOf('body', Body, { title: '123456' })).toEqual([
    { path: 'body.title', message: 'must have at most 5 characters' },
  ])
  expect(errorsOf('body', Body, { title: 'a', note: '123456' })).toEqual([
    { path: 'body.note', message: 'must have at most 5 characters' },
  ])
  expect(errorsOf('body', Body, { title: 'a', note: ['123456'] })).toEqual([
    { path: 'body.note', message: 'must be a string or null' },
  ])
})

test('every error is reported with its path', () => {
  const Body = closed(
    {
      title: { type: 'string' },
      status: { type: 'string', enum: ['todo', 'done'] },
      text: { type: 'string', format: 'plain-text' },
      'a/b~c': { type: 'integer' },
    },
    ['title'],
  )
  const errors = errorsOf('body', Body, { status: 'x', text: 'nul\0', 'a/b~c': 'y', extra: 1 })
  expect(errors.toSorted((a, b) => a.path.localeCompare(b.path))).toEqual([
    { path: 'body.a/b~c', message: 'must be an integer' },
    { path: 'body.extra', message: 'is not a known field' },
    { path: 'body.status', message: 'must be one of todo, done' },
    { path: 'body.text', message: 'must not contain NUL or half a surrogate pair' },
    { path: 'body.title', message: 'is required' },
  ])
  expect(errorsOf('body', Body, { title: 'ok', text: '\ud800' })).toHaveLength(1)
  expect(errorsOf('body', Body, null)).toEqual([{ path: 'body', message: 'must be an object' }])
})

test('a format of a feature has a message of its own', () => {
  const Body = closed({ pair: { type: 'string', format: 'even' }, id: { type: 'string', format: 'uuid' } })
  expect(errorsOf('body', Body, { pair: 'abc', id: '7' })).toEqual([
    { path: 'body.pair', message: 'must have an even length' },
    { path: 'body.id', message: 'must be a UUID' },
  ])
  expect(
    check('body', Body, { pair: 'ab', id: '7c9e6679-7425-40de-944b-e07fc1f90ae7' }).error,
  ).toBeUndefined()
})

test('at most 20 errors are reported, and long field names are cut', () => {
  const body = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`${'x'.repeat(1000)}${i}`, i]))
  const errors = errorsOf('body', closed({}), body)
  expect(errors).toHaveLength(20)
  expect(errors.every(({ path }) => path.length <= 200)).toBe(true)
})

test('a schema with failFast reports the first error only', () => {
  const labels = { type: 'array', maxItems: 2, items: { type: 'string' } }
  const schema = { ...closed({ labels }), failFast: true as const }
  expect(errorsOf('body', schema, { labels: [1, 2, 3], x: 1, y: 2 })).toHaveLength(1)
  expect(errorsOf('body', schema, { labels: [1, 2, 3] })).toMatchObject([
    { path: 'body.labels', message: expect.stringContaining('2 items') },
  ])
  expect(check('body', schema, { labels: ['a'] })).toEqual({ value: { labels: ['a'] } })
})

test.each([
  ['tittle', 'is not a known field; did you mean title?'],
  ['statsu', 'is not a known field; did you mean status?'],
  ['notes', 'is not a known field'],
  ['x', 'is not a known field'],
])('an unknown field %s is answered with: %s', (name, message) => {
  const Body = closed({ title: { type: 'string' }, status: { type: 'string' }, id: { type: 'integer' } })
  expect(errorsOf('body', Body, { [name]: 1 })).toEqual([{ path: `body.${name}`, message }])
})

test.each([
  [{ limit: 1001 }, 'query.limit', 'must be at most 1000'],
  [{ limit: 0 }, 'query.limit', 'must be at least 1'],
  [{ tag: ['a', 'a'] }, 'query.tag', 'must not contain an item twice'],
  [{ tag: ['a', 'b', 'c'] }, 'query.tag', 'must have at most 2 items'],
])('the query %o is out of bounds', (query, path, message) => {
  const tag = { type: 'array', items: { type: 'string' }, maxItems: 2, uniqueItems: true }
  const Bounded = closed({ limit: { type: 'integer', minimum: 1, maximum: 1000 }, tag })
  expect(errorsOf('querystring', Bounded, query)).toEqual([{ path, message }])
})

test('names of the prototype are unknown fields like any other', () => {
  const body = JSON.parse('{"__proto__": {"title": "x"}, "constructor": 1, "toString": 2}')
  const paths = errorsOf('body', closed({ title: { type: 'string' } }, ['title']), body).map(
    ({ path }) => path,
  )
  expect(paths.toSorted()).toEqual(['body.__proto__', 'body.constructor', 'body.title', 'body.toString'])
})
