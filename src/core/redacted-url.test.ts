import { expect, test } from 'vitest'
import { hideSecretParameters, withoutCredentials } from './redacted-url.ts'

test.each([
  'auth',
  'Authorization',
  'access_token',
  'client_secret',
  'apiKey',
  'password',
  'passwd',
  'sig',
  'X-Amz-Signature',
  'X-Amz-Credential',
])('the value of the parameter %s is hidden', (name) => {
  const url = new URL('https://example.com/a?page=1')
  url.searchParams.set(name, 'hunter2')
  hideSecretParameters(url)
  expect([...url.searchParams]).toEqual([
    ['page', '1'],
    [name, '***'],
  ])
})

test('a URL is shown without user name, password and secret parameters', () => {
  expect(withoutCredentials('https://me:hunter2@example.com/a?b=c&token=x&token=y#f')).toBe(
    'https://example.com/a?b=c&token=***#f',
  )
  expect(withoutCredentials('https://example.com/a?b=c&page=2')).toBe('https://example.com/a?b=c&page=2')
})
