import { describe, expect, test } from 'vitest'
import { createTestDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'
import { hasNats, startNats, storedIn } from '../support/nats.ts'
import { kill } from '../support/processes.ts'
import { startServer, stop } from '../support/server.ts'

const COUNT = 600

describe.skipIf(!hasNats)('with NATS', () => {
  test('after kills during consumption each rate is processed once, in order, and published once', async () => {
    await using database = await createTestDatabase()
    await using nats = await startNats()
    const service = await nats.client()
    const settings = { DATABASE_URL: database.url, NATS_URL: nats.url, SECRET_KEY: 'k'.repeat(32) }
    const start = async () => {
      const server = await startServer(settings)
      const isUp = async () =>
        (await (await fetch(`${server.url}/health/ready`)).text()).includes('"nats":{"status":"up"')
      await eventually(isUp, 'the server consumes from NATS')
      return server
    }
    const processed = async () =>
      (await database.rows<{ rate: string }>(`SELECT data->>'rate' AS rate FROM events ORDER BY id`)).map(
        ({ rate }) => Number(rate),
      )

    let server = await start()
    for (let i = 1; i <= COUNT; i++) service.publish('currencies', `{"currency":"USD","rate":${i}}`)
    await service.flush()
    for (let round = 1; round <= 3; round++) {
      await eventually(
        async () => (await processed()).length > (COUNT / 4) * round,
        'some are processed',
        20_000,
      )
      kill(server.pid, 'SIGKILL')
      await server.exited
      server = await start()
    }
    await eventually(async () => (await processed()).length >= COUNT, 'all are processed', 30_000)
    expect(await processed()).toEqual(Array.from({ length: COUNT }, (_, i) => i + 1))
    const stored = await eventually(
      async () => {
        const all = await storedIn(service, 'TASKWIRE_EVENTS')
        return all.length >= COUNT ? all : undefined
      },
      'all are published',
      30_000,
    )
    expect(stored.map(({ id }) => Number(id))).toEqual(Array.from({ length: COUNT }, (_, i) => i + 1))
    expect(await stop(server)).toMatchObject({ code: 0 })
  }, 420_000)
})
