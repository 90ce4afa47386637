import { expect, onTestFinished, test } from 'vitest'
import { createTestDatabase } from '../../../test/support/database.ts'
import { eventually } from '../../../test/support/eventually.ts'
import { startProxy } from '../../../test/support/proxy.ts'
import { listen } from './listen.ts'

// This is the state behind a firewall that dropped an idle connection: neither side is notified.
test('a connection that is silently dropped is noticed, and holds up no end', async () => {
  await using database = await createTestDatabase()
  await using proxy = await startProxy(database.url, 5432)
  const heard: (string | undefined)[] = []
  const listener = listen(
    { connectionString: proxy.url },
    'listen test',
    (payload) => void heard.push(payload),
    100,
  )
  const ended = new AsyncDisposableStack()
  ended.use(listener)
  onTestFinished(() => ended.disposeAsync())
  await eventually(() => heard.length === 1, 'it listens')
  proxy.hang()
  await database.rows("SELECT pg_notify('listen test', 'lost')")
  await eventually(() => proxy.connections >= 2, 'it tries another connection')
  await proxy.restore()
  await eventually(() => heard.filter((payload) => payload === undefined).length >= 2, 'it listens again')
  await eventually(async () => {
    await database.rows("SELECT pg_notify('listen test', 'heard')")
    return heard.includes('heard')
  }, 'it hears')

  proxy.hang()
  const began = performance.now()
  await ended.disposeAsync()
  expect(performance.now() - began).toBeLessThan(5_000)
})
