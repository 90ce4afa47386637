import { STATUS_CODES } from 'node:http'
import { expect, test } from 'vitest'
import { DomainError, type ErrorCode, errorText, StartupError, validationError } from './errors.ts'

test.each<[ErrorCode, number]>([
  ['bad-request', 400],
  ['unauthenticated', 401],
  ['forbidden', 403],
  ['not-found', 404],
  ['method-not-allowed', 405],
  ['conflict', 409],
  ['precondition-failed', 412],
  ['too-large', 413],
  ['unsupported-media-type', 415],
  ['validation', 422],
  ['upgrade-required', 426],
  ['upstream', 502],
  ['unavailable', 503],
  ['range-not-satisfiable', 416],
  ['insufficient-storage', 507],
])('%s is %i, with the title of RFC 9110', (code, status) => {
  const error = new DomainError(code, 'because')
  const older: Record<number, string> = { 413: 'Content Too Large', 422: 'Unprocessable Content' }
  expect(error).toMatchObject({ status, title: older[status] ?? STATUS_CODES[status], message: 'because' })
  expect(error).toMatchObject({ headers: {}, errors: undefined })
  expect('cause' in error).toBe(false)
})

test('a validation error names every mistake, in its detail too', () => {
  const errors = [
    { path: 'body.title', message: 'is required' },
    { path: 'query.limit', message: 'must be at least 1' },
  ]
  const error = validationError(errors)
  expect(error).toMatchObject({ code: 'validation', errors })
  expect(error.message).toBe('body.title is required; query.limit must be at least 1')
})

test.each<[string, unknown, string]>([
  ['an error', new Error('it broke'), 'it broke'],
  ['no error', 'text', 'text'],
  ['nothing', undefined, 'undefined'],
  ['an error without a message', Object.assign(new Error(''), { code: 'EPIPE' }), 'EPIPE'],
  ['an error with nothing at all', new TypeError(), 'TypeError'],
  ['causes', new Error('outer', { cause: new Error('middle', { cause: 'inner' }) }), 'outer: middle: inner'],
  ['the same cause twice', new Error('same', { cause: new Error('same') }), 'same'],
  ['several', new AggregateError([new Error('one'), new Error('two')]), 'one: two'],
  ['several under one name', new AggregateError([new Error('one')], 'all failed'), 'all failed'],
])('the text of %s', (_what, thrown, text) => {
  expect(errorText(thrown)).toBe(text)
})

test('a startup error is told by its name', () => {
  expect(new StartupError('no').name).toBe('StartupError')
})
