import { expect, test } from 'vitest'
import { DomainError, validationError } from '../../core/errors.ts'
import { toProblem } from './error-handler.ts'

const hinted = (statusCode: number, code: string, message: string) =>
  Object.assign(new Error(message), { statusCode, code })

test('an expected error is rendered with the path of the request, without the query', () => {
  expect(toProblem(new DomainError('not-found', 'Task 7 does not exist.'), '/tasks/7?x=secret')).toEqual({
    type: 'about:blank',
    title: 'Not Found',
    status: 404,
    detail: 'Task 7 does not exist.',
    instance: '/tasks/7',
  })
  const errors = [{ path: 'body.title', message: 'is required' }]
  expect(toProblem(validationError(errors), '/tasks')).toMatchObject({ status: 422, errors })
})

test('an unexpected error is a 500 without internal details', () => {
  for (const error of [
    new Error('password is hunter2'),
    hinted(302, 'X', 'hunter2'),
    hinted(503, 'X', 'hunter2'),
    hinted(Number.NaN, 'X', 'hunter2'),
  ]) {
    const problem = toProblem(error, '/')
    expect(problem).toMatchObject({ status: 500, title: 'Internal Server Error' })
    expect(JSON.stringify(problem)).not.toContain('hunter2')
  }
})

test.each([
  [400, 'FST_ERR_CTP_INVALID_JSON_BODY', 'The body is not valid JSON.'],
  [413, 'FST_ERR_CTP_BODY_TOO_LARGE', 'The body is larger than this route allows.'],
  [
    415,
    'FST_ERR_CTP_INVALID_MEDIA_TYPE',
    'The Content-Type is not a valid media type. Send JSON with "Content-Type: application/json".',
  ],
])('the %i of the framework has our own message', (status, code, detail) => {
  expect(toProblem(hinted(status, code, 'FST jargon'), '/tasks')).toMatchObject({ status, detail })
})

test('a long path is cut', () => {
  expect(toProblem(new DomainError('not-found', ''), `/${'x'.repeat(5000)}`).instance).toHaveLength(1000)
})
