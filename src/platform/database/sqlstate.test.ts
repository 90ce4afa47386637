import { expect, test } from 'vitest'
import { DomainError } from '../../core/errors.ts'
import { endsConnection, isBadData, isLockTimeout, isRetried, translated } from './sqlstate.ts'

const coded = (code: string, message = 'it failed') => Object.assign(new Error(message), { code })

test('only what a second run can mend is retried', () => {
  expect(['40001', '40P01', '26000'].map((code) => isRetried(coded(code)))).toEqual([true, true, true])
  expect(['23505', '57014', '08006', '40002', ''].filter((code) => isRetried(coded(code)))).toEqual([])
  expect(isRetried('40001')).toBe(false)
})

test.each([
  '08006',
  '08P01',
  '57P01',
  '57P03',
  '57014',
  '53300',
  '53100',
  '58030',
  '58P01',
  '25006',
  'ECONNREFUSED',
])('%s is the fault of the database and becomes "unavailable"', (code) => {
  const error = translated(coded(code, 'password of admin is hunter2'))
  expect(error).toMatchObject({ code: 'unavailable', status: 503, headers: { 'retry-after': '1' } })
  expect((error as DomainError).message).not.toContain('hunter2')
  expect(((error as DomainError).cause as Error).message).toContain('hunter2')
})

test.each([
  'Connection terminated unexpectedly',
  'timeout exceeded when trying to connect',
  'Client has encountered a connection error and is not queryable',
  'Cannot use a pool after calling end on the pool',
])('the driver’s "%s" becomes "unavailable"', (message) => {
  expect(translated(new Error(message))).toBeInstanceOf(DomainError)
})

test.each(['23505', '22P02', '42601', '22021', '42501', 'EINVAL'])('%s stays what it is', (code) => {
  const error = coded(code)
  expect(translated(error)).toBe(error)
})

test('of several addresses all must be unreachable', () => {
  const all = new AggregateError([coded('ECONNREFUSED'), coded('ETIMEDOUT')])
  const some = new AggregateError([coded('ECONNREFUSED'), coded('28P01')])
  expect(translated(all)).toBeInstanceOf(DomainError)
  expect(translated(some)).toBe(some)
})

test('bad data are told from what may be better later', () => {
  expect(['22009', '23514'].map((code) => isBadData(coded(code)))).toEqual([true, true])
  expect(['42P01', '42501', 'XX000', '08006', ''].filter((code) => isBadData(coded(code)))).toEqual([])
})

test('lock timeouts and last words are told apart', () => {
  expect(isLockTimeout(coded('55P03'))).toBe(true)
  expect(isLockTimeout(coded('57014'))).toBe(false)
  expect(endsConnection(coded('57P01'))).toBe(true)
  expect(endsConnection(coded('25006'))).toBe(true)
  expect(endsConnection(coded('57014'))).toBe(false)
  expect(endsConnection(undefined)).toBe(false)
})
