import { expect } from 'vitest'
import type { Answer } from './app.ts'

/** Fails unless the answer is problem details (RFC 9457) of this status. */
export function expectProblem(answer: Answer, status: number): void {
  expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/)
  expect(answer.body).toMatchObject({
    type: expect.any(String),
    title: expect.stringMatching(/\w/),
    status,
    detail: expect.stringMatching(/\w/),
    instance: expect.stringMatching(/^\//),
  })
  expect(answer.status).toBe(status)
}
