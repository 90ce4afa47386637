import { jetstreamManager } from '@nats-io/jetstream'
import { headers, type NatsConnection } from '@nats-io/transport-node'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { hasNats, startNats, storedIn, type TestNats } from '../../../../test/support/nats.ts'
import type { NatsLink } from './nats.ts'
import { OrderedPublisher, type Target } from './ordered-publisher.ts'

describe.skipIf(!hasNats)('with NATS', () => {
  let nats: TestNats
  let connection: NatsConnection
  let target: Target
  let link: NatsLink
  beforeAll(async () => {
    nats = await startNats()
    connection = await nats.client()
  })
  afterAll(() => nats?.[Symbol.asyncDispose]())
  beforeEach(async () => {
    const manager = await jetstreamManager(connection)
    await manager.streams.delete('TEST').catch(() => {})
    await manager.streams.add({ name: 'TEST', subjects: ['test.>'], duplicate_window: 60_000_000_000 })
    target = { client: manager.jetstream(), idPrefix: '' }
    link = {
      connection,
      headers: (values) => {
        const built = headers()
        for (const [name, value] of Object.entries(values)) built.set(name, value)
        return built
      },
      lost: new AbortController().signal,
    }
  })

  const messages = (from: number, to: number) =>
    Array.from({ length: to - from + 1 }, (_, i) => ({
      id: from + i,
      subject: `test.${(from + i) % 3}`,
      payload: `{"n":${from + i}}`,
      headers: {},
    }))
  const stored = async () => (await storedIn(connection, 'TEST')).map(({ id }) => id)
  const ids = (from: number, to: number) => messages(from, to).map(({ id }) => String(id))

  test('messages are stored in order, and once although they are published twice', async () => {
    const publisher = new OrderedPublisher()
    await publisher.publish(link, target, messages(1, 500))
    await publisher.publish(link, target, messages(400, 600))
    // A new publisher, like another process, does not know what is stored.
    await new OrderedPublisher().publish(link, target, messages(590, 700))
    expect(await stored()).toEqual(ids(1, 700))
  })

  test('other publishers to the stream change neither the order nor the number of our messages', async () => {
    let isOver = false
    const other = (async () => {
      for (let i = 1; !isOver; i++) await target.client.publish('test.other', '{}', { msgID: `other-${i}` })
    })()
    const publishers = ['a-', 'b-'].map(async (idPrefix) => {
      const publisher = new OrderedPublisher()
      for (let from = 1; from <= 200; from += 50)
        await publisher.publish(link, { ...target, idPrefix }, messages(from, from + 49))
    })
    await Promise.all(publishers)
    isOver = true
    await other
    const all = await stored()
    for (const prefix of ['a-', 'b-'])
      expect(all.filter((id) => id.startsWith(prefix))).toEqual(ids(1, 200).map((id) => prefix + id))
    expect(all.some((id) => id.startsWith('other-'))).toBe(true)
  })

  test('a message that the server rejects keeps the messages after it from being stored', async () => {
    const publisher = new OrderedPublisher()
    const [large] = messages(3, 3)
    large!.subject = 'elsewhere'
    const all = [...messages(1, 2), large!, ...messages(4, 6)]
    await expect(publisher.publish(link, target, all)).rejects.toThrow()
    expect(await stored()).toEqual(ids(1, 2))
    await publisher.publish(link, target, messages(1, 6))
    expect(await stored()).toEqual(ids(1, 6))
  })

  test('without a stream the messages are published in order', async () => {
    const received: string[] = []
    const service = await nats.client()
    service.subscribe('test.>', { callback: (_error, message) => void received.push(message.string()) })
    await service.flush()
    await new OrderedPublisher().publish(link, undefined, messages(1, 100))
    await service.flush()
    expect(received).toEqual(messages(1, 100).map(({ payload }) => payload))
  })

  test('publishing rejects at once when the connection is lost', async () => {
    const lose = new AbortController()
    const publishing = new OrderedPublisher().publish(
      { ...link, lost: lose.signal },
      { ...target, client: { publish: () => new Promise(() => {}) } as never },
      messages(1, 2),
    )
    lose.abort(new Error('lost'))
    await expect(publishing).rejects.toThrow('lost')
  })
})
