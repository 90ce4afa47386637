import type { NatsConnection } from '@nats-io/transport-node'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../support/app.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'
import { hasNats, startNats, storedIn, type TestNats } from '../support/nats.ts'

const CODES = ['AAA', 'BBB', 'CCC', 'DDD', 'EEE']
const EVENTS = 'TASKWIRE_EVENTS'
const INTAKE = 'TASKWIRE_currencies'

describe.skipIf(!hasNats)('faults of NATS, and several processes', () => {
  let stack: AsyncDisposableStack
  let database: TestDatabase
  beforeEach(async () => {
    stack = new AsyncDisposableStack()
    database = stack.use(await createTestDatabase())
  })
  afterEach(() => stack.disposeAsync())

  const start = async (settings: Record<string, string>, own = stack): Promise<TestApp> =>
    own.use(await startTestApp({ DATABASE_URL: database.url, ...settings }))
  const isUp = async (app: TestApp) =>
    (await app.fetch('/health/ready')).body.checks.nats.status === 'up' ? true : undefined
  const startReady = async (nats: TestNats, own = stack) => {
    const app = await start({ NATS_URL: nats.url }, own)
    await eventually(() => isUp(app), 'the server consumes from NATS')
    return app
  }
  const create = (app: TestApp) =>
    Promise.all(CODES.map((currency) => app.send('POST', '/currencies', { currency, rate: 1 })))
  /** Changes each currency `times` times: the currencies in parallel, the changes of one in order. */
  const change = (app: TestApp, times: number) =>
    Promise.all(
      CODES.map(async (code) => {
        for (let i = 1; i <= times; i++)
          await app.send('PATCH', `/currencies/${code}`, { rate: 1 + i / 1000 })
      }),
    )
  const events = () =>
    database.rows<{ id: number; code: string; rate: string; type: string }>(
      `SELECT id, type, data->'row'->>'code' AS code, data->>'rate' AS rate FROM events ORDER BY id`,
    )
  /** Waits until all events are published and checks that each is in both streams once and in order. */
  const isAllThere = async (service: NatsConnection) => {
    let wanted = await events()
    for (const stream of [EVENTS, INTAKE]) {
      const stored = await eventually(
        async () => {
          // A message whose publishing timed out may still have arrived and created an event.
          wanted = await events()
          const ours = (await storedIn(service, stream)).filter(({ id }) => id !== '')
          return ours.length === wanted.length ? ours : undefined
        },
        `all events once in ${stream}`,
        30_000,
      )
      expect(stored.map(({ id }) => id)).toEqual(wanted.map(({ id }) => String(id)))
    }
    return wanted
  }
  const warnings = (app: TestApp) =>
    app.logged.filter(({ level }) => Number(level) >= 40).map(({ msg }) => String(msg))

  test('after NATS was killed and restarted during changes, all are published once and in order', async () => {
    const nats = stack.use(await startNats())
    const app = await startReady(nats)
    await create(app)
    await isAllThere(await nats.client())
    const changing = change(app, 30)
    await nats.kill()
    await changing
    const known = (await events()).length
    expect(known).toBe(CODES.length * 31)
    expect((await app.fetch('/health/ready')).body).toMatchObject({
      status: 'ready',
      checks: { nats: { status: 'down' } },
    })
    expect((await app.fetch('/test/nats', { method: 'POST' })).status).toBe(503)
    await nats.restart()
    await isAllThere(await nats.client())
    // Kill NATS repeatedly while events are published.
    for (let round = 0; round < 3; round++) {
      const more = change(app, 20)
      await eventually(async () => (await events()).length > known + round * 50, 'some changes are committed')
      await nats.kill()
      await nats.restart()
      await more
    }
    await isAllThere(await nats.client())
    await eventually(() => isUp(app), 'the server consumes again')
    expect(new Set(warnings(app).map((line) => line.split(':')[0]))).toEqual(new Set(['NATS is unavailable']))
  }, 90_000)

  test('while NATS hangs no request waits, and afterwards all events are published once and in order', async () => {
    const nats = stack.use(await startNats())
    const app = await startReady(nats)
    await create(app)
    nats.hang()
    const started = performance.now()
    await change(app, 5)
    expect((await app.fetch('/test/nats', { method: 'POST' })).status).toBe(503)
    expect((await app.fetch('/health/ready')).body.checks.nats.status).toBe('down')
    expect(performance.now() - started).toBeLessThan(10_000)
    nats.resume()
    // NATS now processes the requests it received while it hung, also those that timed out.
    await isAllThere(await nats.client())
  }, 60_000)

  test('the server works if NATS is unavailable at the start, and after NATS lost its data', async () => {
    const nats = stack.use(await startNats())
    await nats.kill()
    const app = await start({ NATS_URL: nats.url })
    await create(app)
    expect((await app.fetch('/health/ready')).body).toMatchObject({
      status: 'ready',
      checks: { nats: { status: 'down' } },
    })
    await nats.restart()
    await isAllThere(await nats.client())
    await nats.kill()
    await nats.restart({ empty: true })
    await app.send('PATCH', '/currencies/AAA', { rate: 5 })
    const service = await nats.client()
    await eventually(
      async () => (await storedIn(service, EVENTS)).length === 1,
      'the stream is created again with the new event',
      30_000,
    )
    await eventually(() => isUp(app), 'the server consumes from NATS', 20_000)
    service.publish('currencies', '{"currency":"USD","rate":7}')
    await eventually(async () => (await app.fetch('/currencies/USD')).body.rate === 7, 'a rate is consumed')
  }, 60_000)

  test('two processes consume each message once and in order and publish each event once', async () => {
    const nats = stack.use(await startNats())
    const apps = await Promise.all([startReady(nats), startReady(nats)])
    const service = await nats.client()
    for (let i = 1; i <= 100; i++)
      for (const currency of CODES) service.publish('currencies', JSON.stringify({ currency, rate: i }))
    await service.flush()
    const count = 100 * CODES.length
    await eventually(async () => (await events()).length >= count, 'all are consumed', 20_000)
    const consumed = await isAllThere(service)
    expect(consumed).toHaveLength(count)
    for (const code of CODES) {
      const rates = consumed.filter((event) => event.code === code).map(({ rate }) => Number(rate))
      expect(rates).toEqual(Array.from({ length: 100 }, (_, i) => i + 1))
    }
    expect(apps.flatMap(warnings)).toEqual([])
  }, 60_000)

  test('a message that was published while no server ran is consumed by the next server', async () => {
    const nats = stack.use(await startNats())
    const first = stack.use(new AsyncDisposableStack())
    await startReady(nats, first)
    await first.disposeAsync()
    const service = await nats.client()
    service.publish('currencies', '{"currency":"CHF","rate":90}')
    await service.flush()
    const app = await startReady(nats)
    await eventually(async () => (await app.fetch('/currencies/CHF')).body.rate === 90, 'it is consumed')
  })

  test('without JetStream messages are exchanged and a warning is logged', async () => {
    const nats = stack.use(await startNats([]))
    const apps = await Promise.all([startReady(nats), startReady(nats)])
    const service = await nats.client()
    const subjects: string[] = []
    const callback = (_error: unknown, { subject }: { subject: string }) => void subjects.push(subject)
    service.subscribe('taskwire.events.*', { callback })
    service.subscribe('currencies', { callback })
    await service.flush()
    for (let i = 1; i <= 50; i++) service.publish('currencies', `{"currency":"USD","rate":${i}}`)
    await eventually(async () => (await events()).length >= 50, 'all are consumed')
    await eventually(() => subjects.length >= 150, 'they were published')
    expect(await events()).toHaveLength(50)
    expect(subjects.filter((subject) => subject === 'currencies')).toHaveLength(100)
    expect(warnings(apps[0]!)).toEqual([expect.stringContaining('NATS has no JetStream')])
  }, 60_000)

  test('a password in NATS_URL authenticates; with a wrong one the server works and logs no secret', async () => {
    const user = { user: 'taskwire', pass: 'p@ss:w/rd' }
    const nats = stack.use(await startNats(['--jetstream', '--user', user.user, '--pass', user.pass], user))
    const url = new URL(nats.url)
    url.username = user.user
    url.password = encodeURIComponent(user.pass)
    const app = await start({ NATS_URL: url.href })
    await eventually(() => isUp(app), 'the server is connected')
    url.password = 'wrong-canary'
    const other = await start({ NATS_URL: url.href, NATS_SUBJECT: 'other' })
    await eventually(() => warnings(other).length > 0, 'the warning is logged')
    expect((await other.send('POST', '/tasks', { title: 'works' })).status).toBe(201)
    expect((await other.fetch('/health/ready')).body.checks.nats.status).toBe('down')
    for (const { logged } of [app, other]) {
      expect(JSON.stringify(logged)).not.toMatch(/wrong-canary|p@ss|p%40ss/)
    }
  })

  test('a token in NATS_URL authenticates', async () => {
    const nats = stack.use(await startNats(['--auth', 'a-token'], { token: 'a-token' }))
    const app = await start({ NATS_URL: nats.url.replace('//', '//a-token@') })
    await eventually(() => isUp(app), 'the server is connected')
  })

  test('two databases whose events have the same ids publish all of them to one NATS', async () => {
    const nats = stack.use(await startNats())
    const one = await startReady(nats)
    const alone = stack.use(await startTestApp({ NATS_URL: nats.url, NATS_SUBJECT: 'elsewhere' }))
    await Promise.all([create(one), create(alone)])
    await Promise.all([change(one, 20), change(alone, 20)])
    const service = await nats.client()
    const count = 2 * CODES.length * 21
    const stored = await eventually(async () => {
      const all = await storedIn(service, EVENTS)
      return all.length >= count ? all : undefined
    }, 'all are stored')
    expect(stored).toHaveLength(count)
    const sources = Map.groupBy(stored, ({ headers }) => headers['ce-source'])
    expect(sources.size).toBe(2)
    for (const own of sources.values()) {
      const ids = own.map(({ body }) => Number(body.id))
      expect(ids).toEqual([...ids].sort((a, b) => a - b))
      expect(new Set(ids).size).toBe(count / 2)
    }
    // The installation that created the stream uses ids without a prefix.
    const plain = stored.filter(({ id, body }) => id === body.id)
    expect(new Set(plain.map(({ headers }) => headers['ce-source'])).size).toBe(1)
    expect([...warnings(one), ...warnings(alone)]).toEqual([])
  }, 60_000)
})
