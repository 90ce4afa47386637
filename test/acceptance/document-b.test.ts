import { once } from 'node:events'
import { expect, onTestFinished, test } from 'vitest'
import { WebSocket } from 'ws'
import { cbrFixture, sendXml } from '../support/cbr.ts'
import { eventually } from '../support/eventually.ts'
import { hasNats, startNats } from '../support/nats.ts'
import { startServer } from '../support/server.ts'
import { startUpstream } from '../support/upstream.ts'

/** The "Parser" of document B: the requests of its clients and of the other service on NATS. */

/** Opens a socket and returns a function that waits for the next message. */
async function connect(url: string) {
  const socket = new WebSocket(url)
  // biome-ignore lint/suspicious/noExplicitAny: envelopes of many shapes
  const messages: any[] = []
  socket.on('message', (data) => messages.push(JSON.parse(String(data))))
  onTestFinished(() => socket.terminate())
  await once(socket, 'open')
  return async () => {
    await eventually(() => messages.length > 0, 'a message')
    return messages.shift()
  }
}

async function call(method: string, url: string, body?: string) {
  const response = await fetch(url, {
    method,
    ...(body !== undefined && { headers: { 'Content-Type': 'application/json' }, body }),
  })
  const text = await response.text()
  return { status: response.status, body: text && JSON.parse(text) }
}

test('rates are imported, listed, created, updated and deleted, and each change is published on /ws/currencies', async () => {
  await using upstream = await startUpstream()
  upstream.answer(sendXml(cbrFixture))
  const { url, ws } = await startServer({ CBR_URL: upstream.url })
  const receive = await connect(`${ws}/ws/currencies`)

  const started = await call('POST', `${url}/tasks/run`)
  expect(started).toEqual({ status: 202, body: { status: 'started', run_id: expect.any(Number) } })
  for (const currency of ['AMD', 'GBP', 'USD', 'VND', 'XDR'])
    expect(await receive()).toMatchObject({ type: 'currency_created', data: { currency: { currency } } })

  const listed = await call('GET', `${url}/currencies/`)
  expect(listed.status).toBe(200)
  expect(listed.body).toHaveLength(5)
  expect(listed.body[2]).toEqual({
    id: expect.stringMatching(/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/),
    currency: 'USD',
    rate: 79.7296,
    nominal: 1,
    name: 'Доллар США',
    timestamp: '2025-12-13T00:00:00.000000Z',
    source: 'cbr',
  })
  expect((await call('GET', `${url}/currencies/${listed.body[2].id}`)).body).toEqual(listed.body[2])

  const created = await call('POST', `${url}/currencies/`, '{"currency": "EUR", "rate": 93.5}')
  expect(created).toMatchObject({ status: 201, body: { currency: 'EUR', rate: 93.5 } })
  expect(await receive()).toMatchObject({ type: 'currency_created', data: { currency: created.body } })

  const one = `${url}/currencies/${created.body.id}`
  const updated = await call('PATCH', one, '{"rate": 94.25}')
  expect(updated).toMatchObject({ status: 200, body: { id: created.body.id, rate: 94.25 } })
  expect(await receive()).toMatchObject({ type: 'currency_updated', data: { currency: updated.body } })

  expect((await call('DELETE', one)).status).toBe(204)
  expect(await receive()).toMatchObject({ type: 'currency_deleted', data: { currency: updated.body } })
  expect((await call('GET', one)).status).toBe(404)
}, 60_000)

test.skipIf(!hasNats)(
  'a rate from POST /test/nats is stored and published',
  async () => {
    await using nats = await startNats()
    const { hostname, port } = new URL(nats.url)
    const { url, ws } = await startServer({ NATS_HOST: hostname, NATS_PORT: port })
    const isUp = async () =>
      (await call('GET', `${url}/health/ready`)).body.checks.nats.status === 'up' ? true : undefined
    await eventually(isUp, 'the server consumes from NATS')
    const [currencies, all] = [await connect(`${ws}/ws/currencies`), await connect(`${ws}/ws`)]

    const answer = await call('POST', `${url}/test/nats?currency=USD&rate=100`)
    expect(answer).toEqual({ status: 200, body: { status: 'ok' } })
    const event = await currencies()
    expect(event).toMatchObject({
      type: 'add_data_from_remote_source',
      data: { currency: { currency: 'USD', rate: 100, source: 'remote' } },
    })
    expect(await all()).toEqual(event)
    expect((await call('GET', `${url}/currencies/USD`)).body).toEqual(event.data.currency)
  },
  60_000,
)
