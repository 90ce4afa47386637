import { expect, onTestFinished, test, vi } from 'vitest'
import { type Reader, startReader } from './support/reader.ts'
import { event, problem, type Reply, silence, stream } from './support/scripted-server.ts'
import { clientOf, serverOf, soon } from './support/server-of-test.ts'

// How a stream is read slowly, and how it ends.

test('who reads slowly is not given up for silent, and does not make the server’s memory ours', async () => {
  let written = 0
  const flood: Reply = (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    let id = 0
    const write = () => {
      let hasRoom = true
      while (hasRoom && !response.destroyed && id < 100_000) {
        const text = event(++id, 'x'.repeat(1000))
        written += text.length
        hasRoom = response.write(text)
      }
    }
    response.on('drain', write)
    write()
  }
  const server = await serverOf(flood)
  const stream = clientOf(server).events({ silenceMs: 50 })
  const ids: string[] = []
  for await (const item of stream) {
    if (item.type === 'reset') continue
    ids.push(item.id)
    if (ids.length > 3) break
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  expect(ids).toEqual(['1', '2', '3', '4'])
  expect(server.asked.length).toBe(1)
  // Of 100 MB: what the sockets and one chunk hold.
  expect(written).toBeLessThan(16 * 1024 * 1024)
  await vi.waitFor(() => expect(server.open).toBe(0), soon)
})

test('it can be ended in every state: before, while it connects, live, in a pause, and by a loop that breaks', async () => {
  const server = await serverOf(
    silence,
    stream([event(1)], 'open'),
    problem(503, 'x', { 'retry-after': '60' }),
  )
  const gone = startReader(clientOf(server), { signal: AbortSignal.abort() })
  expect([await gone.done, server.asked.length]).toEqual([undefined, 0])

  for (const isReady of [
    () => server.asked.length === 1,
    ({ items }: Reader) => items.length === 1,
    ({ states }: Reader) => states.at(-1)!.state === 'waiting',
  ]) {
    const reader = startReader(clientOf(server))
    await vi.waitFor(() => expect(isReady(reader)).toBe(true), soon)
    reader.stop()
    expect(await reader.done).toBe(undefined)
  }
  await vi.waitFor(() => expect(server.open).toBe(0), soon)
})

test('return ends it while an event is waited for, and releases what it listened to', async () => {
  const server = await serverOf(stream([event(1)], 'open'))
  const never = new AbortController()
  const removed = vi.spyOn(never.signal, 'removeEventListener')
  const added = vi.spyOn(never.signal, 'addEventListener')
  const events = clientOf(server).events({ signal: never.signal })
  expect((await events.next()).value).toMatchObject({ id: '1' })
  const waiting = events.next()
  expect(await events.return!()).toEqual({ done: true, value: undefined })
  expect(await waiting).toEqual({ done: true, value: undefined })
  expect(await events.next()).toEqual({ done: true, value: undefined })
  expect(removed.mock.calls.length).toBe(added.mock.calls.length)
  await vi.waitFor(() => expect(server.open).toBe(0), soon)
})

test('a listener that throws does not disturb the stream', async () => {
  const server = await serverOf(stream([event(1)], 'open'))
  const thrown: unknown[] = []
  const note = (error: unknown) => void thrown.push(error)
  const others = process.rawListeners('uncaughtException')
  process.removeAllListeners('uncaughtException').on('uncaughtException', note)
  onTestFinished(() => {
    process.off('uncaughtException', note)
    for (const listener of others) process.on('uncaughtException', listener as () => void)
  })
  const onState = () => {
    throw new Error('a bug of the page')
  }
  const reader = startReader(clientOf(server), { onState })
  await vi.waitFor(() => expect(reader.ids()).toEqual(['1']), soon)
  await vi.waitFor(() => expect(thrown.length).toBe(2), soon)
})
