import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createAccessTokens } from './access-token.ts'
import { createSetupTokens } from './setup-token.ts'

const keys = ['a key of the server that is long enough', 'one that was used before it, also long']
const setup = createSetupTokens({ keys })
const START = Date.UTC(2026, 0, 2)

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: START }))
afterEach(() => void vi.useRealTimers())

test('a setup token is valid for 30 minutes', async () => {
  const token = await setup.issue()
  expect(await setup.verify(token)).toBe(true)
  vi.setSystemTime(START + 30 * 60_000 - 1)
  expect(await setup.verify(token)).toBe(true)
  vi.setSystemTime(START + 30 * 60_000)
  expect(await setup.verify(token)).toBe(false)
})

test('it is neither an access token nor is one of those taken for it', async () => {
  const access = createAccessTokens({ keys, lifetimeSeconds: 60 })
  const token = await access.issue({ userId: 1, sessionId: 's', epoch: 0 })
  expect(await access.verify(token)).toBeDefined()
  expect(await setup.verify(token)).toBe(false)
  expect(await access.verify(await setup.issue())).toBeUndefined()
})

test('any of the keys will do, another or none will not', async () => {
  expect(await setup.verify(await createSetupTokens({ keys: keys.slice(1) }).issue())).toBe(true)
  expect(await setup.verify(await createSetupTokens({ keys: ['x'.repeat(32)] }).issue())).toBe(false)
  for (const garbage of ['', 'setup', 'a.b.c', `${await setup.issue()} `]) {
    expect(await setup.verify(garbage)).toBe(false)
  }
})
