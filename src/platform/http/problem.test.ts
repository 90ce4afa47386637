import { expect, test } from 'vitest'
import { DomainError } from '../../core/errors.ts'
import { problems } from './problem.ts'

type Documented = { description: string; content: Record<string, { example: Record<string, unknown> }> }

test('401, 403, 429 and 503 are always documented, each status once and in order', () => {
  expect(Object.keys(problems())).toEqual(['401', '403', '429', '503'])
  expect(Object.keys(problems(422, 404, 422))).toEqual(['401', '403', '404', '422', '429', '503'])
})

test('every documented status has its own description and example', () => {
  const all = [400, 401, 403, 404, 409, 410, 412, 413, 415, 422, 426, 429, 502, 503]
  for (const [status, documented] of Object.entries(problems(...all))) {
    const { description, content } = documented as Documented
    const { example } = content['application/problem+json']!
    expect(description).toMatch(/^\w.{5}/)
    expect(example).toMatchObject({ type: 'about:blank', status: Number(status), detail: `${description}.` })
    expect(example.title).toMatch(/^\w+/)
    expect('errors' in example).toBe(status === '422')
  }
  const { content } = problems(422)[422] as Documented
  expect(content['application/problem+json']!.example.title).toBe(new DomainError('validation', '').title)
})
