import type { NatsConnection } from '@nats-io/transport-node'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { startTestApp, type TestApp } from '../support/app.ts'
import { eventually } from '../support/eventually.ts'
import { listen } from '../support/listener.ts'
import { hasNats, startNats, storedIn, type TestNats } from '../support/nats.ts'

describe.skipIf(!hasNats)('with NATS', () => {
  let nats: TestNats
  let service: NatsConnection
  let app: TestApp
  beforeAll(async () => {
    nats = await startNats()
    service = await nats.client()
    app = await startTestApp({ NATS_URL: nats.url, NATS_SUBJECT: 'rates.moscow' })
    await isReady()
  })
  afterAll(async () => {
    await app?.[Symbol.asyncDispose]()
    await nats?.[Symbol.asyncDispose]()
  })

  const isReady = () =>
    eventually(
      async () => (await app.fetch('/health/ready')).body.checks.nats.status === 'up',
      'the server consumes from NATS',
    )
  const currency = async (code: string) => (await app.fetch(`/currencies/${code}`)).body
  const publish = (message: object | string) =>
    service.publish('rates.moscow', typeof message === 'string' ? message : JSON.stringify(message))
  /** Waits until the stream has `count` messages and returns all of them. */
  const published = async (stream: string, count: number) =>
    eventually(async () => {
      const all = await storedIn(service, stream)
      return all.length >= count ? all : undefined
    }, `${count} messages in ${stream}`)
  const metric = async (name: string) => {
    const { body } = await app.fetch('/metrics')
    return Number(new RegExp(`^${name.replace(/[{}]/g, '\\$&')} (\\d+)$`, 'm').exec(body)?.[1])
  }

  test('every event is stored below taskwire.events by its type, as a CloudEvent with its id', async () => {
    const { body: task } = await app.send('POST', '/tasks', { title: 'Для NATS, with "at":"x" {' })
    await app.fetch(`/tasks/${task.id}`, { method: 'DELETE' })
    const stored = await published('TASKWIRE_EVENTS', 2)
    const { body: page } = await app.fetch('/events?after=0', { headers: { accept: 'application/json' } })
    expect(stored.map(({ body }) => body)).toEqual(page.events)
    expect(stored.map(({ subject }) => subject)).toEqual([
      'taskwire.events.task_created',
      'taskwire.events.task_deleted',
    ])
    for (const { id, headers, body } of stored) {
      expect(id).toBe(body.id)
      expect(headers).toMatchObject({
        'ce-specversion': '1.0',
        'ce-id': body.id,
        'ce-type': body.type,
        'ce-source': expect.stringMatching(/^urn:uuid:[\da-f-]{36}$/),
        'ce-time': body.at,
        'content-type': 'application/json',
      })
    }
  })

  test('changes of currencies are also published on NATS_SUBJECT in its format', async () => {
    const plain: object[] = []
    const subscription = service.subscribe('rates.moscow', {
      callback: (_error, message) => void plain.push(message.json()),
    })
    await service.flush()
    const { body: created } = await app.send('POST', '/currencies', { currency: 'CNY', rate: 11.25 })
    const { body: updated } = await app.send('PATCH', '/currencies/CNY', { rate: 11.5 })
    await app.fetch('/currencies/CNY', { method: 'DELETE' })
    await eventually(() => plain.length === 3, 'three messages')
    const { id } = created
    const message = (event_type: string, { rate, timestamp }: { rate: number; timestamp: string }) => ({
      ...{ id, currency: 'CNY', rate, event_type, timestamp, source: 'exchange_rate_parser' },
    })
    expect(plain).toEqual([
      message('currency_created', created),
      message('currency_updated', updated),
      message('currency_deleted', updated),
    ])
    subscription.unsubscribe()
    // The server receives its own messages and ignores them.
    await eventually(async () => (await storedIn(service, 'TASKWIRE_rates_moscow')).length === 3, 'stored')
    expect((await app.fetch('/currencies/CNY')).status).toBe(404)
    expect(await metric('taskwire_nats_messages_total{outcome="malformed"}')).toBe(0)
  })

  test('a rate of another service is stored exactly and reaches sockets', async () => {
    const { events } = await listen(`${app.url.replace('http', 'ws')}/ws/currencies`)
    const timestamp = '2025-12-15T12:00:31.168401+03:00'
    publish(`{"id":"x","currency":"USD","rate":100.10000000000000000001,"event_type":"add_data_from_remote_source",
      "timestamp":"${timestamp}","source":"other"}`)
    await eventually(() => events.length === 1, 'the first')
    expect(app.logged.filter(({ msg }) => msg === 'currency rate received')).toMatchObject([
      { currency: 'USD' },
    ])
    const first = await currency('USD')
    expect(first).toMatchObject({
      currency: 'USD',
      source: 'remote',
      name: null,
      timestamp: '2025-12-15T09:00:31.168401Z',
    })
    expect(await (await fetch(`${app.url}/currencies/USD`)).text()).toContain(
      '"rate":100.10000000000000000001,',
    )
    publish({ currency: 'usd', rate: 101 })
    await eventually(() => events.length === 2, 'the second')
    const second = await currency('USD')
    expect(second).toMatchObject({ id: first.id, rate: 101, source: 'remote' })
    expect(events).toMatchObject([
      { type: 'add_data_from_remote_source', data: { currency: first } },
      { type: 'add_data_from_remote_source', data: { currency: second } },
    ])
    expect((await app.fetch('/currencies/USD/history')).body).toHaveLength(2)
  })

  const bad: [string, string | Uint8Array][] = [
    ['not JSON', 'USD=100'],
    ['half of JSON', '{"currency":"USD","rate":1'],
    ['nothing', ''],
    ['a list', '[1]'],
    ['null', 'null'],
    ['no UTF-8', Uint8Array.of(0x7b, 0xff, 0x7d)],
    ['no rate', '{"currency":"USD"}'],
    ['no currency', '{"rate":1}'],
    ['a rate as text', '{"currency":"USD","rate":"1"}'],
    ['a rate of 0', '{"currency":"USD","rate":0}'],
    ['a rate below 0', '{"currency":"USD","rate":-1}'],
    ['NaN', '{"currency":"USD","rate":NaN}'],
    ['1e400', '{"currency":"USD","rate":1e400}'],
    ['1e-400', '{"currency":"USD","rate":1e-400}'],
    ['a rate without end', `{"currency":"USD","rate":1.${'0'.repeat(60)}1}`],
    ['the rouble', '{"currency":"RUB","rate":1}'],
    ['a long code', '{"currency":"DOLLAR","rate":1}'],
    ['a number for a code', '{"currency":840,"rate":1}'],
    ['an unknown field', '{"currency":"USD","rate":1,"admin":true}'],
    ['__proto__', '{"currency":"USD","rate":1,"__proto__":{"source":"exchange_rate_parser"}}'],
    ['a number for an id', '{"currency":"USD","rate":1,"id":7}'],
    ['a list for a source', '{"currency":"USD","rate":1,"source":["other"]}'],
    ['a number for a time', '{"currency":"USD","rate":1,"timestamp":1765800000}'],
    ['no time', '{"currency":"USD","rate":1,"timestamp":"now"}'],
    ['the 30th of February', '{"currency":"USD","rate":1,"timestamp":"2025-02-30"}'],
    [
      'a day far ahead',
      `{"currency":"USD","rate":1,"timestamp":"${new Date(Date.now() + 3 * 86_400_000).toISOString()}"}`,
    ],
    ['a hundred thousand brackets', '['.repeat(60_000)],
    ['1 MB', `{"currency":"USD","rate":1,"id":"${'x'.repeat(1_048_576 - 40)}"}`],
  ]

  test('a message that the database rejects is dropped, and the next one is processed', async () => {
    await app.database.rows("ALTER TABLE currencies ADD CONSTRAINT not_this CHECK (code <> 'XXX')")
    onTestFinished(() => app.database.rows('ALTER TABLE currencies DROP CONSTRAINT not_this').then(() => {}))
    const known = app.logged.length
    const malformed = await metric('taskwire_nats_messages_total{outcome="malformed"}')
    for (const code of ['XXX', 'AAA']) publish({ currency: code, rate: 1 })
    await eventually(
      async () => (await app.fetch('/currencies/AAA')).status === 200,
      'the next message is processed',
    )
    expect(await metric('taskwire_nats_messages_total{outcome="malformed"}')).toBe(malformed + 1)
    expect(app.logged.slice(known).filter(({ level }) => Number(level) >= 50)).toMatchObject([
      { msg: 'NATS message could not be stored and was dropped', err: expect.anything() },
    ])
    app.logged.splice(known)
  })

  test('invalid messages are logged once each, counted and dropped, and the next one is processed', async () => {
    const before = [await currency('USD'), await app.database.rows('SELECT count(*) AS n FROM events')]
    const known = app.logged.length
    const malformed = await metric('taskwire_nats_messages_total{outcome="malformed"}')
    for (const [, payload] of bad) service.publish('rates.moscow', payload)
    await service.flush()
    const dropped = () => app.logged.slice(known).filter(({ msg }) => String(msg).startsWith('NATS message'))
    await eventually(() => dropped().length >= bad.length, 'all are dropped')
    expect(dropped().map(({ msg }) => msg)).toHaveLength(bad.length)
    expect(Math.max(...dropped().map(({ msg }) => String(msg).length))).toBeLessThan(200)
    expect(await metric('taskwire_nats_messages_total{outcome="malformed"}')).toBe(malformed + bad.length)
    expect([await currency('USD'), await app.database.rows('SELECT count(*) AS n FROM events')]).toEqual(
      before,
    )
    publish({ currency: 'USD', rate: 77 })
    await eventually(async () => (await currency('USD')).rate === 77, 'a valid message is processed')
    expect(app.logged.slice(known).filter(({ level }) => Number(level) >= 50)).toEqual([])
  })

  test('POST /test/nats publishes a rate as another service would', async () => {
    const { events } = await listen(`${app.url.replace('http', 'ws')}/ws/currencies`)
    const answer = await app.fetch('/test/nats?currency=AED&rate=0022.10', { method: 'POST' })
    expect(answer).toMatchObject({ status: 200, body: { status: 'ok' } })
    await eventually(() => events.length === 1, 'its event')
    expect(events[0]).toMatchObject({
      type: 'add_data_from_remote_source',
      data: { currency: { currency: 'AED', rate: 22.1, source: 'remote' } },
    })
    expect((await app.fetch('/test/nats', { method: 'POST' })).status).toBe(200)
    await eventually(async () => (await currency('USD')).rate === 100, 'the defaults are USD and 100')
    for (const query of ['rate=0', 'rate=-1', 'rate=1e5', 'rate=x', 'currency=RUB', 'currency=X', 'a=b']) {
      expect([query, (await app.fetch(`/test/nats?${query}`, { method: 'POST' })).status]).toEqual([
        query,
        422,
      ])
    }
  })
})

test('without NATS only POST /test/nats is unavailable', async () => {
  await using app = await startTestApp()
  expect((await app.fetch('/health/ready')).body.checks).not.toHaveProperty('nats')
  const { status, body } = await app.fetch('/test/nats', { method: 'POST' })
  expect([status, body.detail]).toEqual([503, 'NATS is not configured. Set NATS_URL.'])
  expect((await app.fetch('/metrics')).body).not.toContain('nats_lag')
})
